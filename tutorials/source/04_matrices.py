# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# # 04 · From numbers to matrices
#
# **Goal: tell apart what a matrix does in one step (its norm) and in the long run (its spectral radius), and know that
# in between anything can happen.** You will see a matrix whose eigenvalues are all 0.9, and whose gradient grows to
# $10^{18}$ before it vanishes.
#
# You need tutorial 03, and eigenvalues. Install once, in the folder of the project:
#
#     python -m pip install -e ".[notebook]"
#
# Run the cells from top to bottom. All of it takes about five seconds. Three exercises at the end check themselves.

# %% [markdown] lang="zh"
# # 04 · 从数到矩阵
#
# **目标：分清矩阵在一步之内的作用（看范数）和长远的作用（看谱半径），并知道两者之间什么都可能发生。** 你会看到一个矩阵，特征值全是 0.9，梯度在消失之前竟先涨到 $10^{18}$。
#
# 需要先学教程 03，并了解特征值。首次使用时，请在项目文件夹中安装：
#
#     python -m pip install -e ".[notebook]"
#
# 从上到下依次运行各个单元格，全部大约需要五秒。最后有三道自动批改的练习。

# %% tags=["setup"]
import math

import matplotlib.pyplot as plt
import numpy as np

import minigrad as mg
from minigrad import check, nn

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# ## 1. One step, and many
#
# In tutorial 03 the chain was $h_{t+1} = w\,h_t$. Now $h$ is a vector and $w$ a matrix: $h_{t+1} = W h_t$. With
# $g = dL/dh_T$, the gradient $k$ steps back is $(W^\top)^k g$. How long can it get? Two numbers of $W$ answer:
#
# * the *norm* $\lVert W \rVert$ (the largest singular value): one step makes no vector longer than $\lVert W \rVert$
#   times. So $k$ steps give at most $\lVert W \rVert^k$.
# * the *spectral radius* $\rho$ (the largest $|\lambda|$ of an eigenvalue): along that eigenvector each step
#   multiplies by exactly $\lambda$. So the worst case is at least $\rho^k$.
#
# $$\rho^k \;\le\; \lVert W^k \rVert \;\le\; \lVert W \rVert^k$$
#
# ($W^\top$ has the norm and the eigenvalues of $W$, so both bounds are those of the gradient.)
#
# Three matrices, 20 by 20, all with $\rho = 0.9$: a rotation times 0.9; random numbers, scaled; and a *chain*, with 0.9
# on the diagonal and 1 beside it.

# %% [markdown] lang="zh"
# ## 1. 一步与多步
#
# 教程 03 的链是 $h_{t+1} = w\,h_t$。现在 $h$ 是向量，$w$ 换成矩阵：$h_{t+1} = W h_t$。记 $g = dL/dh_T$，往回走 $k$ 步，梯度就是 $(W^\top)^k g$。最长能有多长？看 $W$ 的两个数：
#
# * **范数** $\lVert W \rVert$（最大奇异值）：走一步，任何向量最多伸长到 $\lVert W \rVert$ 倍。所以走 $k$ 步最多是 $\lVert W \rVert^k$ 倍。
# * **谱半径** $\rho$（特征值的最大模 $|\lambda|$）：沿着相应的特征向量，每一步恰好乘 $\lambda$。所以最坏情形至少是 $\rho^k$ 倍。
#
# $$\rho^k \;\le\; \lVert W^k \rVert \;\le\; \lVert W \rVert^k$$
#
# （$W^\top$ 与 $W$ 的范数相同、特征值也相同，所以两条界也就是梯度的界。）
#
# 取三个 20 阶矩阵，$\rho$ 都是 0.9：0.9 倍的旋转矩阵（rotation）；缩放过的随机矩阵（random）；还有一条**链**（chain），对角线上是 0.9，旁边是 1。

# %%
rng = np.random.default_rng(0)
random = rng.normal(size=(20, 20))
matrices = {
    "rotation": nn.init.orthogonal_(mg.zeros(20, 20), 0.9, rng).data,
    "random": random * 0.9 / mg.theory.spectral_radius(random),
    "chain": 0.9 * np.eye(20) + np.eye(20, k=1),
}


def backward_norms(W, g, steps):
    """Return ||dL/dh_(T-k)|| for k = 0 ... steps, where L = g . h_T; measured on the tape."""
    h = mg.tensor(np.zeros(len(W)), requires_grad=True)
    states = [h]
    for _ in range(steps):
        states.append(W @ states[-1])
    return np.array([np.linalg.norm(d.data) for d in reversed(mg.grad(g @ states[-1], states))])


print("            radius    norm   gradient: 1 step back   100 steps back   predicted 0.9^100")
for name, W in matrices.items():
    g = rng.normal(size=20)
    norms = backward_norms(W, g / np.linalg.norm(g), 100)
    print(f"{name:9}   {mg.theory.spectral_radius(W):6.3f}   {mg.theory.spectral_norm(W):5.3f}   "
          f"{norms[1]:21.3f}   {norms[100]:14.2e}   {0.9 ** 100:17.2e}")

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** The rotation behaves like the number 0.9, to the last digit. The random matrix comes near it. The chain has the
# same eigenvalues, and after 100 steps its gradient is twenty powers of ten larger than they promise.
#
# ## 2. Between the bounds
#
# Now at every $k$: the largest possible gradient, $\lVert W^k \rVert$, from `mg.theory.transient`; gradients of three random
# losses, from the tape; and the two bounds, dashed.

# %% [markdown] lang="zh"
# **结论。** 旋转矩阵的表现与数 0.9 完全一样。随机矩阵也相近。链的特征值相同，可是走了 100 步，梯度比特征值所预示的大二十个数量级。
#
# ## 2. 两条界之间
#
# 现在看每一个 $k$：梯度最大能有多大，即 $\lVert W^k \rVert$，由 `mg.theory.transient` 给出；三个随机损失的梯度，由计算图测得；还有两条界，画成虚线。

# %% slideshow={"slide_type": "slide"}
steps = np.arange(601)
with mg.plot.styled():
    _, axes = plt.subplots(1, 3, figsize=(10, 4.2), dpi=90, layout="constrained", sharey=True)
    for ax, (name, W) in zip(axes, matrices.items()):
        radius, norm = mg.theory.spectral_radius(W), mg.theory.spectral_norm(W)
        for k in range(3):
            g = rng.normal(size=20)
            measured = np.log10(backward_norms(W, g / np.linalg.norm(g), 600))
            ax.plot(steps, measured, color="#56B4E9", lw=1, label=None if k else "random gradients")
        largest = mg.theory.transient(W, 600)
        ax.plot(steps, largest.log10_norm, color="#0072B2", lw=2.5, label="largest: ||W^k||")
        for bound, colour, label in ((norm, "#D55E00", "above: ||W||^k"),
                                     (radius, "k", "below: radius^k")):
            ax.plot(steps, steps * np.log10(bound), "--", color=colour, lw=1.4, label=label)
        ax.set(title=f"{name}: radius {radius:.2f}, norm {norm:.2f}", xlabel="k, steps back",
               ylim=(-32, 24))
    axes[0].set_ylabel("log10 of the norm")
    axes[0].legend(loc="upper right", fontsize=10)
plt.show()
last = np.flatnonzero(mg.theory.transient(W, 1500).log10_norm >= 0)[-1]
print(f"chain: the largest ||W^k|| is 10^{largest.log10_peak:.2f}, at k = {largest.peak}; "
      f"it falls below 1 after k = {last}")

# %% [markdown] lang="en" slideshow={"slide_type": "fragment"}
# **What to see.** *Left:* the rotation. Norm and radius are the same number, so the bounds are one line and leave no choice.
# *Middle:* the random matrix. The upper bound (orange) is useless; the truth runs just above the lower one (black).
# *Right:* the chain, with the same lower bound. It climbs to nearly $10^{18}$, turns at $k = 189$, and only then bends
# towards the slope of the black line. No random loss escapes: the thin lines run within a few powers of ten of the thick
# one.
#
# ## 3. Why the chain grows
#
# Write $W = 0.9\,I + S$, where $S$ shifts by one place. A path from one end of the chain to the other shifts 19 times, in
# any 19 of the $k$ steps, and multiplies by 0.9 in the others. So the corner of $W^k$ is
#
# $$\binom{k}{19}\; 0.9^{\,k-19}$$
#
# There are so many paths that their number wins for a long time. Compare with a matrix that has the same eigenvalues.

# %% [markdown] lang="zh"
# **看什么。** **左**：旋转矩阵。范数与谱半径是同一个数，两条界合成一条线，没有余地。**中**：随机矩阵。上界（橙色）毫无用处，真实值就在下界（黑色）稍上方。**右**：链，下界相同。曲线先爬到将近 $10^{18}$，在 $k = 189$ 处掉头，之后才渐渐弯向黑线的斜率。随机的损失无一幸免：细线（三个随机梯度）与粗线（最大值）只差几个数量级。
#
# ## 3. 链为什么会增长
#
# 把 $W$ 写成 $0.9\,I + S$，其中 $S$ 把向量移动一位。从链的一端走到另一端，要移动 19 次，可以在 $k$ 步中任选 19 步，其余各步乘 0.9。所以 $W^k$ 角上的元素是
#
# $$\binom{k}{19}\; 0.9^{\,k-19}$$
#
# 路径实在太多，在很长一段时间里，数目占了上风。再与一个特征值相同的矩阵比一比。

# %%
print("          0.9 times identity        the chain: 0.9 on the diagonal, 1 beside it")
print("   k           norm of W^k           norm of W^k   corner of W^k   predicted corner")
identity, chain = 0.9 * np.eye(20), matrices["chain"]
for k in (1, 19, 50, 100, 189, 400, 1000):
    powers = [np.linalg.matrix_power(W, k) for W in (identity, chain)]
    print(f"{k:4d}   {np.linalg.norm(powers[0], 2):19.2e}   {np.linalg.norm(powers[1], 2):19.2e}   "
          f"{powers[1][0, -1]:13.3e}   {math.comb(k, 19) * 0.9 ** (k - 19):16.3e}")

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** Eigenvalues say the same of both; the norms differ by 26 powers of ten at $k = 189$. A matrix is *normal* if
# $W W^\top = W^\top W$, like a rotation or a symmetric matrix. Then the eigenvectors stand at right angles and
# $\lVert W^k \rVert = \rho^k$. The chain is far from normal.
#
# How strong must the coupling beside the diagonal be? The norm of $0.9\,I + c\,S$ is at most $0.9 + c$. So up to
# $c = 0.1$ no step lengthens anything. Move the slider beyond.

# %% [markdown] lang="zh"
# **结论。** 只看特征值，两者毫无区别；而在 $k = 189$ 处，两者的范数相差 26 个数量级。满足 $W W^\top = W^\top W$ 的矩阵叫**正规矩阵**，例如旋转矩阵和对称矩阵。这时特征向量两两正交，$\lVert W^k \rVert = \rho^k$。链则远非正规。
#
# 对角线旁边的耦合要多强才会这样？$0.9\,I + c\,S$ 的范数至多为 $0.9 + c$。所以直到 $c = 0.1$，没有哪一步会放大任何向量。把滑块推过这个值看看。

# %% slideshow={"slide_type": "subslide"}
def coupled(c, ax):
    """Draw ||W^k|| for W = 0.9 I + c S, beside its bounds."""
    W = 0.9 * np.eye(20) + c * np.eye(20, k=1)
    found, k = mg.theory.transient(W, 300), np.arange(301)
    ax.plot(k, found.log10_norm, lw=2.5, label="||W^k||")
    ax.plot(k, k * np.log10(mg.theory.spectral_norm(W)), "--", color="#D55E00", lw=1.2,
            label="||W||^k")
    ax.plot(k, k * np.log10(0.9), "k--", lw=1.2, label="0.9^k")
    ax.set(xlabel="k, steps back", ylabel="log10 of the norm", ylim=(-16, 22),
           title=f"largest: 10^{found.log10_peak:.1f} at k = {found.peak}")
    ax.legend(loc="upper right", fontsize=9)


mg.plot.explore(coupled, c=(0.0, 1.0, 0.05), panels=6, figsize=(9.4, 4.7))
plt.show()

# %% [markdown] lang="en" slideshow={"slide_type": "fragment"}
# **What to see.** The black line, all that eigenvalues know, is the same in all panels. The hump is not. Its place stays near
# $k = 189$, and its height follows $c^{19}$, as a path takes the coupling 19 times: from $c = 1$ to $c = 0.2$ it loses
# $19 \log_{10} 5 = 13$ powers of ten.
#
# **Found.** A coupling of 0.2 beside a diagonal of 0.9 is enough for a gradient of more than $10^4$.
#
# ## 4. In the long run
#
# Eigenvalues do win in the end. *Gelfand's formula*: the growth per step tends to the radius,
#
# $$\lVert W^k \rVert^{1/k} \;\to\; \rho$$
#
# The question is whether your sequence is long enough to see it.

# %% [markdown] lang="zh"
# **看什么。** 黑色虚线，也就是特征值所知道的一切，在各幅小图里完全相同，隆起却不同。隆起的位置始终在 $k = 189$ 附近，高度按 $c^{19}$ 变化，因为一条路径要经过耦合 19 次：从 $c = 1$ 到 $c = 0.2$，降低 $19 \log_{10} 5 = 13$ 个数量级。
#
# **结论。** 对角线是 0.9，旁边的耦合只要 0.2，就足以让梯度超过 $10^4$。
#
# ## 4. 长远来看
#
# 特征值终究会赢。**Gelfand 公式**指出，平均每步的增长倍数趋于谱半径：
#
# $$\lVert W^k \rVert^{1/k} \;\to\; \rho$$
#
# 问题是，你的序列有没有长到看得见这一点。

# %%
lags = (1, 10, 100, 300, 1000, 3000)
print("growth per step at k =" + "".join(f"{k:>8d}" for k in lags))
for name, W in matrices.items():
    logs = mg.theory.transient(W, 3000).log10_norm
    print(f"{name:>22}" + "".join(f"{10 ** (logs[k] / k):8.3f}" for k in lags))

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** The random matrix has nearly settled after 100 steps. The chain's growth per step is still above 1 at
# 300, and after 3000 steps it has not yet come to 0.9.
#
# ## 5. What a gain means
#
# Initial weights are drawn at random, with a *gain*. Two ways: a rotation times the gain; or Gaussian entries of standard
# deviation gain $/ \sqrt{H}$. For the second the *circular law* says: for large $H$ the eigenvalues fill a disc whose radius
# is the gain, evenly. The norm of the matrix is about twice the gain.

# %% [markdown] lang="zh"
# **结论。** 随机矩阵走 100 步就差不多稳定了。链到 300 步时，平均每步的增长倍数仍大于 1；走了 3000 步也还没到 0.9。
#
# ## 5. 增益的含义
#
# 权重的初值随机抽取，大小由**增益**决定。有两种做法：旋转矩阵乘以增益；或者让元素服从高斯分布，标准差取增益 $/ \sqrt{H}$。对后一种，**圆律**（circular law）指出：$H$ 很大时，特征值均匀地填满一个圆盘，半径就是增益；而范数约为增益的两倍。

# %%
H, gain = 200, 1.2
angles = np.linspace(0, 2 * np.pi, 200)
with mg.plot.styled():
    _, axes = plt.subplots(1, 2, figsize=(8, 4), dpi=110, layout="constrained", sharey=True)
    for ax, kind in zip(axes, ("Gaussian", "rotation")):
        print(f"{kind}, gain {gain}, H = {H}")
        for seed in range(4):
            rng = np.random.default_rng(seed)
            W = mg.zeros(H, H)
            if kind == "Gaussian":
                nn.init.normal_(W, std=gain / np.sqrt(H), rng=rng)
            else:
                nn.init.orthogonal_(W, gain, rng)
            g = rng.normal(size=H)
            norms = backward_norms(W.data, g / np.linalg.norm(g), 100)
            print(f"   seed {seed}: radius {mg.theory.spectral_radius(W.data):.3f}   "
                  f"norm {mg.theory.spectral_norm(W.data):.3f}   "
                  f"gradient, steps 50 to 100 back: "
                  f"{(norms[100] / norms[50]) ** (1 / 50):.3f} a step")
        values = np.linalg.eigvals(W.data)
        ax.plot(values.real, values.imag, ".", color="#0072B2", markersize=5)
        ax.plot(gain * np.cos(angles), gain * np.sin(angles), "k--", lw=1.3,
                label="circle of radius 1.2")
        ax.set(title=f"Eigenvalues, {kind}", aspect="equal", xlim=(-1.5, 1.5), ylim=(-1.5, 1.8))
        ax.legend(loc="upper center")
plt.show()

# %% [markdown] lang="en" slideshow={"slide_type": "fragment"}
# **Found.** The Gaussian eigenvalues fill the disc, those of the rotation lie on its rim. With the rotation the gain is the
# radius, the norm, and the factor per step, all exactly. With Gaussian weights the radius is the gain only to within
# seven per cent here, and the norm is twice as large. So for a gradient that neither grows nor shrinks, take a rotation
# with a gain of 1: that is `nn.init.orthogonal_`.

# %% [markdown] lang="zh"
# **结论。** 高斯矩阵的特征值填满圆盘，旋转矩阵的特征值落在圆周上（虚线是半径 1.2 的圆）。用旋转矩阵，增益就是谱半径，就是范数，就是每步的因子，分毫不差。用高斯权重，谱半径只是近似等于增益，这里最多相差百分之七，范数则约为增益的两倍。所以，要让梯度既不增长也不缩小，就取增益为 1 的旋转矩阵：这就是 `nn.init.orthogonal_`。

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# ## Your turn
#
# Replace `raise NotImplementedError` and run the cell below it.
#
# **Exercise 1.** The worst case. A linear chain has the matrix `W` at each of `k` steps. By which factor can the gradient
# be longer at its beginning than at its end, for the loss that is worst for it?

# %% [markdown] lang="zh"
# ## 练习
#
# 把 `raise NotImplementedError` 换成你的代码，再运行下面的单元格。
#
# **练习 1。** 最坏情形。一条线性链共 `k` 步，每步的矩阵都是 `W`。对最不利的损失，起点的梯度最多能是终点的多少倍？

# %% tags=["exercise"]
def answer(W, k):
    ### BEGIN SOLUTION
    return np.linalg.norm(np.linalg.matrix_power(W, k), 2)
    ### END SOLUTION


# %% tags=["check"]
check.worst_growth(answer)

# %% [markdown] lang="en" tags=["solution"]
# The gradient is $(W^\top)^k g$, and the largest factor by which a matrix lengthens a vector is its largest singular
# value. So it is the norm of the *power*, not the power of the norm: $\lVert W \rVert^k$ would need the worst direction anew
# at each step. Two traps of NumPy: `W ** k` takes the power of each element, and `np.linalg.norm` of a matrix is
# the square root of the sum of squares, unless one writes `2` behind it.

# %% [markdown] lang="zh" tags=["solution"]
# 梯度是 $(W^\top)^k g$，矩阵把向量拉长的最大倍数是它的最大奇异值。所以是**幂的范数**，不是范数的幂：$\lVert W \rVert^k$ 要求每一步都重新碰上最坏的方向。NumPy 有两个陷阱：`W ** k` 是逐元素求幂；`np.linalg.norm` 作用于矩阵时，给出的是平方和的平方根，要得到最大奇异值，须在后面写上 `2`。

# %% [markdown] lang="en"
# **Exercise 2.** Choose the long run. Return `W` multiplied by a positive number such that its spectral radius is `rho`.
# (The matrices given have a radius above 0.)

# %% [markdown] lang="zh"
# **练习 2。** 选定长远的走势。给 `W` 乘一个正数，使谱半径等于 `rho`，返回结果。（给定的矩阵谱半径都大于 0。）

# %% tags=["exercise"]
def answer(W, rho):
    ### BEGIN SOLUTION
    return W * (rho / np.abs(np.linalg.eigvals(W)).max())
    ### END SOLUTION


# %% tags=["check"]
check.scaled_radius(answer)

# %% [markdown] lang="en" tags=["solution"]
# The eigenvalues of $cW$ are $c\lambda$, so one factor does it. Eigenvalues may be negative or complex, so take `np.abs`
# before the maximum. `nn.init.spectral_radius_` does the same. It sets the long run, and says nothing of
# the first steps: scale the chain of section 2 to a radius of 0.5, and it still has a hump.

# %% [markdown] lang="zh" tags=["solution"]
# $cW$ 的特征值是 $c\lambda$，所以乘一个数就行。特征值可能是负数或复数，因此要先取 `np.abs` 再求最大值。`nn.init.spectral_radius_` 做的就是这件事。它决定长远的走势，却管不了最初几步：把第 2 节的链缩放到谱半径 0.5，隆起依然在。

# %% tags=["solution"]
chain = 0.9 * np.eye(20) + np.eye(20, k=1)
found = mg.theory.transient(answer(chain, 0.5), 200)
print(f"radius 0.5: ||W^k|| grows to {10 ** found.log10_peak:.3g} at k = {found.peak}")

# %% [markdown] lang="en"
# **Exercise 3.** Draw it right. You fill an `H` by `H` matrix with independent Gaussian numbers of mean 0. Which standard
# deviation gives it a spectral radius of about `rho`?

# %% [markdown] lang="zh"
# **练习 3。** 抽得恰到好处。用相互独立、均值为 0 的高斯随机数填满一个 `H` 行 `H` 列的矩阵。标准差取多少，谱半径才大约等于 `rho`？

# %% tags=["exercise"]
def answer(H, rho):
    ### BEGIN SOLUTION
    return rho / np.sqrt(H)
    ### END SOLUTION


# %% tags=["check"]
check.gaussian_std(answer)

# %% [markdown] lang="en" tags=["solution"]
# By the circular law the radius is the standard deviation times $\sqrt{H}$. Why the root? One step adds up $H$ random
# products per unit; they partly cancel, and their sum grows like $\sqrt{H}$. Whoever leaves $H$ out gets a net that
# explodes faster the wider it is.

# %% [markdown] lang="zh" tags=["solution"]
# 根据圆律，谱半径等于标准差乘 $\sqrt{H}$。为什么是平方根？每一步，每个神经元要把 $H$ 个随机的乘积加起来，正负部分抵消，和只按 $\sqrt{H}$ 增长。如果漏掉 $H$，网络越宽，爆炸就越快。
