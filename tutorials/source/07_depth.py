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
# # 07 · Depth and initialisation
#
# **Goal: predict from one number, $\chi_1$, what a deep net does to its gradient before it is trained; and choose the
# first weights, or the architecture, by it.**
#
# You need tutorials 00 to 04 and what a variance is. Install once, in the folder of the project:
#
#     python -m pip install -e ".[notebook]"
#
# All of it takes about fifteen seconds, most of that in section 5, where nets are trained.

# %% [markdown] lang="zh"
# # 07 · 深度与初始化
#
# **目标：在训练之前，只凭一个数 $\chi_1$ 就能预测深层网络会怎样改变梯度，并据此选择初始权重或网络结构。**
#
# 需要先学教程 00 到 04，并知道什么是方差。首次使用时，请在项目文件夹中安装：
#
#     python -m pip install -e ".[notebook]"
#
# 全部运行大约需要十五秒，大部分时间花在第 5 节的训练上。

# %% tags=["setup"]
import matplotlib.pyplot as plt
import numpy as np

import minigrad as mg
from minigrad import check, nn, optim, tasks, theory


def make_net(seed, sigma_w2, sigma_b2=0.0, act=nn.Tanh, depth=30, width=200):
    """Return a deep net of layers h = act(W h + b); sigma_w2 is n Var(w), sigma_b2 is Var(b)."""
    rng = np.random.default_rng(seed)
    modules = []
    for _ in range(depth):
        layer = nn.Linear(width, width, rng=rng)
        nn.init.normal_(layer.weight, std=(sigma_w2 / width) ** 0.5, rng=rng)
        nn.init.normal_(layer.bias, std=sigma_b2 ** 0.5, rng=rng)
        modules += [layer, act()]
    return nn.Sequential(*modules)


def look(net, seed, batch=32):
    """Send random inputs forward, a random gradient back; return what mg.flow sees, by layer."""
    rng = np.random.default_rng(1000 + seed)
    x, g = rng.normal(size=(2, batch, net[0].in_features))
    return mg.flow(net, lambda out, g: (out * g).sum(), (x, g)).series[0]

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# ## 1. A square root of two
#
# A layer computes $h_k = \phi(a_k)$ with $a_k = W_k h_{k-1} + b_k$. Backward it multiplies
# $\delta_k = dL/dh_k$ by the slope and by the matrix:
#
# $$\delta_{k-1} = W_k^\top \left[\phi'(a_k) \odot \delta_k\right]$$
#
# An entry of the result is a sum of $n$ products. If the weights are independent with mean 0, the variances add up, and
# on average
#
# $$\lVert\delta_{k-1}\rVert^2 = n\,\mathrm{Var}(w) \cdot \mathrm{E}\,\phi'(a)^2 \cdot \lVert\delta_k\rVert^2$$
#
# A ReLU lets half of its inputs pass: $\mathrm{E}\,\phi'^2 = \frac12$. So the factor per layer is
# $n\,\mathrm{Var}(w)/2$. Xavier's rule sets $n\,\mathrm{Var}(w) = 1$ (Glorot and Bengio, 2010), He's sets it to 2
# (He and others, 2015). The weights differ by a factor of 1.41 only. Thirty layers:

# %% [markdown] lang="zh"
# ## 1. 相差一个根号二
#
# 每一层计算 $h_k = \phi(a_k)$，其中 $a_k = W_k h_{k-1} + b_k$。反向传播时，$\delta_k = dL/dh_k$ 先乘斜率，再乘矩阵：
#
# $$\delta_{k-1} = W_k^\top \left[\phi'(a_k) \odot \delta_k\right]$$
#
# 结果的每个元素都是 $n$ 个乘积之和。如果权重相互独立、均值为 0，方差就相加，于是平均而言
#
# $$\lVert\delta_{k-1}\rVert^2 = n\,\mathrm{Var}(w) \cdot \mathrm{E}\,\phi'(a)^2 \cdot \lVert\delta_k\rVert^2$$
#
# ReLU 放行一半的输入：$\mathrm{E}\,\phi'^2 = \frac12$，所以每层的因子是 $n\,\mathrm{Var}(w)/2$。Xavier 初始化取 $n\,\mathrm{Var}(w) = 1$（Glorot、Bengio，2010），He 初始化取 2（He 等，2015）。两者的权重只差 1.41 倍。看看三十层之后：

# %% slideshow={"slide_type": "fragment"}
print("               delta: first layer / last layer       weight gradient:")
print("n Var(w)  seed   measured   (n Var(w) / 2)^14.5     first / last layer")
for sigma_w2 in (1.0, 2.0, 3.0):
    for seed in range(2):
        rows = look(make_net(seed, sigma_w2, act=nn.ReLU), seed)
        delta, weight = rows.column("delta"), rows.column("gradient")
        print(f"{sigma_w2:8.0f}  {seed:4d}   {delta[0] / delta[-1]:8.1e}   "
              f"{(sigma_w2 / 2) ** 14.5:19.1e}     {weight[0] / weight[-1]:18.2f}")

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** The law holds over 29 layers and seven powers of ten. (The power is 29/2, because the law is about squares.)
# With Xavier's weights $\delta$ shrinks 20,000 times, with He's it stays. And now look at the last column: the gradients
# of the *weights* have the same profile in all three nets. $dL/dW_k = \delta_k h_{k-1}^\top$, summed over the batch, and
# what $\delta$ loses on its way back, $h$ has lost on its way forward. **Bars of weight gradients do not show you whether
# a gradient vanishes.** Look at $\delta$.
#
# ## 2. One number for any activation
#
# For tanh the slope depends on how large $a$ is. In a wide net $a$ is nearly Gaussian (a sum of many terms), with a
# mean square $q$ that each layer passes on. With $z \sim N(0, 1)$, $\sigma_w^2 = n\,\mathrm{Var}(w)$ and
# $\sigma_b^2 = \mathrm{Var}(b)$:
#
# $$q \leftarrow \sigma_w^2\, \mathrm{E}\,\phi(\sqrt q\, z)^2 + \sigma_b^2 \qquad\qquad
# \chi_1 = \sigma_w^2\, \mathrm{E}\,\phi'(\sqrt q\, z)^2$$
#
# Iterate the left one until $q$ stands still; the right one is then the factor of $\lVert\delta\rVert^2$ per layer
# (Schoenholz and others, 2017). Below 1 the gradient vanishes, above 1 it explodes.

# %% [markdown] lang="zh"
# **结论。** 这条规律跨越 29 层、七个数量级都成立。（指数是 29/2，因为规律说的是平方。）用 Xavier 的权重，$\delta$ 缩小到两万分之一；用 He 的权重，$\delta$ 保持不变。再看最后一列：三种网络里，**权重**梯度沿深度的走势一模一样。$dL/dW_k = \delta_k h_{k-1}^\top$（对批量求和），$\delta$ 在反向路上失去多少，$h$ 在前向路上就已失去多少。**只看权重梯度的柱状图，看不出梯度是否消失。** 要看 $\delta$。
#
# ## 2. 任何激活函数，都归结为一个数
#
# tanh 的斜率取决于 $a$ 有多大。在宽网络中，$a$ 是许多项之和，近似服从高斯分布，它的均方 $q$ 逐层传递。设 $z \sim N(0, 1)$，$\sigma_w^2 = n\,\mathrm{Var}(w)$，$\sigma_b^2 = \mathrm{Var}(b)$：
#
# $$q \leftarrow \sigma_w^2\, \mathrm{E}\,\phi(\sqrt q\, z)^2 + \sigma_b^2 \qquad\qquad
# \chi_1 = \sigma_w^2\, \mathrm{E}\,\phi'(\sqrt q\, z)^2$$
#
# 反复迭代左式，直到 $q$ 不再变化；这时右式就是每层 $\lVert\delta\rVert^2$ 的因子（Schoenholz 等，2017）。小于 1，梯度消失；大于 1，梯度爆炸。

# %% tags=["setup"] slideshow={"slide_type": "subslide"}
z = np.linspace(-12, 12, 4801)
density = np.exp(-z ** 2 / 2)
density /= density.sum()


def average(f, q):
    """Return E f(sqrt(q) z), z a standard Gaussian: a sum over a fine grid."""
    return (density * f(np.sqrt(q) * z)).sum()


print("sigma_w^2       q    chi_1    by mg.theory.mean_field")
for sigma_w2 in (0.5, 1.0, 1.76, 2.5, 4.0):
    q = 1.0
    for _ in range(200):
        q = sigma_w2 * average(lambda a: np.tanh(a) ** 2, q) + 0.05
    chi = sigma_w2 * average(lambda a: (1 - np.tanh(a) ** 2) ** 2, q)
    known = theory.mean_field("tanh", sigma_w2, sigma_b2=0.05)
    print(f"{sigma_w2:9.2f}  {q:6.3f}   {chi:6.3f}    {known.q:.3f}  {known.chi_1:.3f}")

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** Four lines give what the library gives. For tanh with $\sigma_b^2 = 0.05$ the critical value is
# $\sigma_w^2 = 1.76$: there $\chi_1 = 1$.
#
# ## 3. The fan
#
# Does this hold in nets of finite width? Fifty tanh layers of 128 units, six values of $\sigma_w^2$, two seeds each. The
# theory knows none of the weights, only their variance.

# %% [markdown] lang="zh"
# **结论。** 四行代码算出的结果与库一致。对于 $\sigma_b^2 = 0.05$ 的 tanh，临界值是 $\sigma_w^2 = 1.76$，此时 $\chi_1 = 1$。
#
# ## 3. 扇形图
#
# 在宽度有限的网络里，这还成立吗？取五十层 tanh，每层 128 个神经元，六种 $\sigma_w^2$，各用两个种子。理论不知道任何一个具体的权重，只知道权重的方差。

# %% slideshow={"slide_type": "slide"}
depth, values = 50, (0.5, 1.0, 1.5, 1.76, 2.5, 4.0)
layers = np.arange(1, depth + 1)
with mg.plot.styled():
    _, axes = plt.subplots(1, 2, figsize=(9.5, 4.4), dpi=95, layout="constrained", sharey=True)
    for k, sigma_w2 in enumerate(values):
        for seed in range(2):
            rows = look(make_net(seed, sigma_w2, 0.05, depth=depth, width=128), seed)
            for ax, name in zip(axes, ("delta", "gradient")):
                norms = rows.column(name)
                ax.semilogy(layers, norms / norms[-1], color=plt.cm.viridis(0.15 * k), lw=1.8)
        chi = theory.mean_field("tanh", sigma_w2, 0.05).chi_1
        fan = chi ** ((depth - layers) / 2)
        axes[0].semilogy(layers, fan, "k--", lw=1.2,
                         label=None if k else r"predicted, $\chi_1^{(50-k)/2}$")
        axes[0].text(-0.5, fan[0], f"{sigma_w2:g}", ha="right", va="center", fontsize=11)
    axes[0].set(title=r"delta: $\|dL/dh_k\|$", xlabel="layer k (1 is next to the input)",
                ylabel="norm / norm at the last layer", xlim=(-5, 51), xticks=range(0, 51, 10))
    axes[1].set(title=r"gradient of the weights: $\|dL/dW_k\|$", xlabel="layer k")
    axes[0].legend(loc="lower right")
plt.show()

# %% [markdown] lang="en" slideshow={"slide_type": "fragment"}
# **What to see.** *Left:* each colour is a value of $\sigma_w^2$, written at its left end. The loss is at the right, so
# read from right to left. Dashed is $\chi_1^{(50-k)/2}$: no line was fitted. Twelve nets keep to it, over twelve powers
# of ten. Between 1.5 and 2.5 there is a narrow door through which a gradient comes back from fifty layers. *Right:* here
# the layers have biases, so signals do not die out, and the weight gradients fan out as well. (Set `0.05` to 0, and the
# lower lines on the right become level, as in section 1.)
#
# Now move one number, the gain $\sigma_w$, and watch both curves.

# %% [markdown] lang="zh"
# **看什么。** **左**：每种颜色对应一个 $\sigma_w^2$，数值标在曲线左端。损失在右边，所以从右往左看。虚线是 $\chi_1^{(50-k)/2}$，没有拟合任何参数。十二个网络都沿着它走，跨越十二个数量级。梯度要从五十层深处传回来，只有 1.5 到 2.5 之间这扇窄门可走。**右**：这里的各层有偏置，信号不会消失殆尽，所以权重的梯度也散成扇形。（把 `0.05` 改成 0，右图下方的曲线就会变平，和第 1 节一样。）
#
# 下面只动一个数，即增益 $\sigma_w$，同时观察两条曲线。

# %% slideshow={"slide_type": "subslide"}
def profile_at(gain, ax):
    """Draw delta, weight gradient and prediction of one net of 30 layers."""
    rows = look(make_net(0, gain ** 2, 0.05, width=64), 0)
    delta, weight = rows.column("delta"), rows.column("gradient")
    ax.semilogy(delta / delta[-1], label=r"$\delta_k$")
    ax.semilogy(weight / weight[-1], label="weights")
    chi = theory.mean_field("tanh", gain ** 2, 0.05).chi_1
    ax.semilogy(chi ** (np.arange(29, -1, -1) / 2), "k--", lw=1, label="predicted")
    ax.set(xlabel="layer", ylabel="norm / norm at the last", title=rf"$\chi_1$ = {chi:.2f}")
    if gain < 0.8:
        ax.legend(loc="lower right", fontsize=9)


mg.plot.explore(profile_at, gain=(0.7, 2.2, 0.1), panels=6)
plt.show()

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** $\chi_1$ says which way, and how fast, before anything is trained.
#
# ## 4. Why does one seed differ from the next?
#
# The law is about the mean over many nets. One narrow net is not the mean: each layer multiplies $\lVert\delta\rVert^2$
# by a random number, and over $L$ layers these multiply. For a ReLU net with He's weights the logarithm
# $\ln \lVert\delta_0\rVert^2/\lVert\delta_L\rVert^2$ has a variance of about $5L/n$ (Hanin and Nica, 2020). Sixty nets
# for each of two widths, one input each:

# %% [markdown] lang="zh"
# **结论。** 在训练开始之前，$\chi_1$ 就说出了梯度是涨是落、变得多快。
#
# ## 4. 为什么不同的种子结果不同？
#
# 上面的规律说的是许多网络的平均。一个窄网络并不等于平均：每一层都给 $\lVert\delta\rVert^2$ 乘上一个随机数，$L$ 层连乘。对于采用 He 初始化的 ReLU 网络，$\ln \lVert\delta_0\rVert^2/\lVert\delta_L\rVert^2$ 的方差约为 $5L/n$（Hanin、Nica，2020）。取两种宽度，各六十个网络，每个网络一个输入：

# %%
print("width   decades, std over 60 nets   predicted   largest / smallest of the 60")
for width in (25, 100):
    decades = []
    for seed in range(60):
        delta = look(make_net(seed, 2.0, act=nn.ReLU, width=width), seed, batch=1).column("delta")
        decades.append(np.log10(delta[0] / delta[-1]))
    law = theory.finite_width("relu", [width] * 29)     # mean, variance of the square's logarithm
    print(f"{width:5d}   {np.std(decades):25.2f}   {law.variance ** 0.5 / 2 / np.log(10):9.2f}   "
          f"{10 ** np.ptp(decades):28.2g}")

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** With 25 units per layer, nets that differ in nothing but their seed have gradients that differ hundreds of
# times, although $\chi_1 = 1$ for each of them. So never judge an initialisation by one narrow net.
#
# ## 5. Ways out, and whether they train
#
# Four remedies for a net of 40 layers that vanishes at $\sigma_w^2 = 1$:
#
# * the *critical* variance, $\sigma_w^2 = 1.76$;
# * the same with *orthogonal* matrices (tutorial 04): each scales every direction alike, not only on average;
# * *residual* blocks, $h_k = h_{k-1} + f(h_{k-1})$. The way past the block adds 1 to the factor:
#   $\lVert\delta_{k-1}\rVert^2 = (1 + \chi)\,\lVert\delta_k\rVert^2$, which is never below 1;
# * *normalisation*: LayerNorm gives the pre-activations the mean square 1, so that
#   $\chi = \mathrm{E}\,\phi'(z)^2 / (\mathrm{E}\,\phi(z)^2 + \sigma_b^2/\sigma_w^2)$: the scale of the weights nearly
#   cancels.
#
# And one net that explodes, $\sigma_w^2 = 4$. Each learns digits for 200 steps of plain gradient descent, no clipping,
# three seeds. (LayerNorm takes longer, and is only looked at.)

# %% [markdown] lang="zh"
# **结论。** 每层 25 个神经元时，除了种子之外完全相同的网络，梯度可以相差几百倍，尽管每个网络都是 $\chi_1 = 1$。所以，绝不要凭一个窄网络来评判一种初始化。
#
# ## 5. 几条出路，练得动吗？
#
# 一个 40 层的网络，$\sigma_w^2 = 1$ 时梯度消失（vanishing）。有四种补救办法：
#
# * **临界**（critical）方差，$\sigma_w^2 = 1.76$；
# * 方差相同，但用**正交**（orthogonal）矩阵（教程 04）：对每一个向量的长度都一视同仁，而不只是平均如此；
# * **残差**（residual）块，$h_k = h_{k-1} + f(h_{k-1})$。绕过这一块的旁路给因子加上 1：$\lVert\delta_{k-1}\rVert^2 = (1 + \chi)\,\lVert\delta_k\rVert^2$，永远不小于 1；
# * **归一化**：层归一化（LayerNorm）使激活前的值均方等于 1，于是 $\chi = \mathrm{E}\,\phi'(z)^2 / (\mathrm{E}\,\phi(z)^2 + \sigma_b^2/\sigma_w^2)$，权重的尺度几乎被消去。
#
# 再加一个梯度爆炸（exploding）的网络，$\sigma_w^2 = 4$。每种网络都用最朴素的梯度下降学习手写数字 200 步，不裁剪，三个种子。（层归一化较慢，只看曲线，不训练。）

# %% slideshow={"slide_type": "subslide"}
digits, unseen = tasks.digits("train"), tasks.digits("test")
inputs, test_inputs = (2 * d.x.reshape(len(d), -1) - 1 for d in (digits, unseen))
kinds = {"vanishing": 1.0, "exploding": 4.0, "critical": 1.76, "orthogonal": 1.76, "residual": 1.0,
         "LayerNorm": 1.0}                                  # of each: sigma_w^2


def digit_net(kind, seed, depth=40, width=48):
    """Return a tanh net for 64 pixels and 10 classes."""
    rng = np.random.default_rng(seed)
    blocks = []
    for k in range(depth):
        layer = nn.Linear(width if k else 64, width, rng=rng)
        nn.init.normal_(layer.weight, std=(kinds[kind] / layer.in_features) ** 0.5, rng=rng)
        nn.init.normal_(layer.bias, std=0.05 ** 0.5, rng=rng)
        if kind == "orthogonal":
            nn.init.orthogonal_(layer.weight, kinds[kind] ** 0.5, rng)
        norm = [nn.LayerNorm(width)] if kind == "LayerNorm" else []
        residual = kind == "residual" and k > 0
        blocks.append((nn.Residual if residual else nn.Sequential)(layer, *norm, nn.Tanh()))
    return nn.Sequential(*blocks, nn.Linear(width, 10, rng=rng))


def share_right(net, seed, updates=200, lr=0.02):
    """Train a net; return the share of unseen digits that it gets right."""
    rng, opt = np.random.default_rng(seed), optim.SGD(net.parameters(), lr=lr)
    for _ in range(updates):
        chosen = rng.integers(len(inputs), size=32)
        opt.zero_grad()
        nn.functional.cross_entropy(net(inputs[chosen]), digits.y[chosen]).backward()
        opt.step()
    with mg.no_grad():
        return (net(test_inputs).data.argmax(axis=1) == unseen.y).mean()


batch = inputs[:32], digits.y[:32]
flows = {kind: mg.flow(digit_net(kind, 0), nn.functional.cross_entropy, batch).series[0]
         for kind in kinds}
trained = [kind for kind in kinds if kind != "LayerNorm"]
shares = {kind: [share_right(digit_net(kind, seed), seed) for seed in range(3)] for kind in trained}
print("            delta, first / last   weights, first / last   nets that get 0.3 right")
for kind in kinds:
    delta, weight = (flows[kind].column(name)[:40] for name in ("delta", "gradient"))
    learned = f"{sum(s > 0.3 for s in shares[kind])} of 3" if kind in trained else "not trained"
    print(f"{kind:>10}   {delta[0] / delta[-1]:18.1e}   {weight[0] / weight[-1]:21.1e}   "
          f"{learned:>18}")

# %% slideshow={"slide_type": "slide"}
slope = average(lambda a: (1 - np.tanh(a) ** 2) ** 2, 1.0)
square = average(lambda a: np.tanh(a) ** 2, 1.0)
predicted = {"LayerNorm": (slope / (square + 0.05)) ** (np.arange(39, -1, -1) / 2)}
with mg.plot.styled():
    _, (left, right) = plt.subplots(1, 2, figsize=(9.5, 4.2), dpi=95, layout="constrained",
                                    width_ratios=(3, 2))
    for k, kind in enumerate(kinds):
        delta = flows[kind].column("delta")[:40]
        theirs = predicted.get(kind, flows[kind].column("predicted")[:40])
        left.semilogy(range(1, 41), delta / delta[-1], color=f"C{k}", lw=1.8, label=kind)
        left.semilogy(range(1, 41), theirs / theirs[-1], "--", color=f"C{k}", lw=1.2)
        if kind in trained:
            right.plot(shares[kind], [k] * 3, "o", color=f"C{k}", ms=8)
    left.set(title=r"$\|\delta_k\|$ before training; dashed: predicted", xlabel="layer k",
             ylabel="norm / norm at layer 40")
    left.legend(ncols=2, loc="lower right")
    right.axvline(0.1, color="k", ls=":")
    right.text(0.12, 3, "guessing", rotation=90, va="center")
    right.set(title="Digits right after 200 updates, 3 seeds", xlabel="share of unseen digits",
              xlim=(0, 1), yticks=range(len(trained)), yticklabels=trained)
    right.invert_yaxis()
plt.show()

# %% [markdown] lang="en" slideshow={"slide_type": "fragment"}
# **Found.** The two bad variances learn nothing; each remedy that was trained learns with every seed. *Left:* orthogonal matrices and
# LayerNorm keep the profile nearly level; LayerNorm does so at a variance at which the plain net vanishes. With the
# critical variance it is level on average, but this one narrow net is not the mean (section 4). And look at the residual
# net: it *explodes*, more than forty times over 40 blocks, as predicted, and learns as well as the orthogonal net does,
# better than the level critical one. So a level $\delta$ is a good sign and not the whole story: it says that the
# gradient arrives, and not what it has to tell.

# %% [markdown] lang="zh"
# **结论。** 方差过小或过大的两种网络什么也没学到；训练过的每一种补救办法，每个种子都学会了。**左**：正交矩阵和层归一化的曲线几乎是平的，而层归一化所用的方差正是普通网络梯度消失的那个。临界方差平均而言是平的，但这一个窄网络并不等于平均（第 4 节）。再看残差网络：它的梯度在**爆炸**，40 块之后放大四十多倍，与预测相符，却学得和正交网络一样好，比曲线更平的临界网络还好。可见，$\delta$ 平是个好兆头，但不是全部：它只说明梯度传到了，没说明梯度带来了什么。

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# ## Your turn
#
# **Exercise 1.** Return the weight matrix of a layer with `n_in` inputs and `n_out` outputs, so that a ReLU net keeps
# the mean square of its signal on the way *forward*. The same sum as in section 1, forward: an entry of $W h$ has
# `n_in` terms. A layer computes `W @ h`, so the shape is `(n_out, n_in)`. Draw from `rng`, a NumPy generator, such as
# `rng.normal(size=...)`.

# %% [markdown] lang="zh"
# ## 练习
#
# **练习 1。** 一层有 `n_in` 个输入、`n_out` 个输出。返回它的权重矩阵，使 ReLU 网络在**前向**传播中保持信号的均方不变。求和与第 1 节相同，只是换成前向：$W h$ 的每个元素有 `n_in` 项。这一层计算 `W @ h`，所以形状是 `(n_out, n_in)`。用 NumPy 随机数生成器 `rng` 抽取，例如 `rng.normal(size=...)`。

# %% tags=["exercise"]
def answer(n_in, n_out, rng):
    ### BEGIN SOLUTION
    return np.sqrt(2 / n_in) * rng.normal(size=(n_out, n_in))
    ### END SOLUTION


# %% tags=["check"]
check.he_weights(answer)

# %% [markdown] lang="en" tags=["solution"]
# $a_i = \sum_j W_{ij} h_j$ has the variance $n_{in}\,\mathrm{Var}(w)\,\mathrm{E}\,h^2$, and behind a ReLU
# $\mathrm{E}\,h^2$ is half the mean square of $a$. So $n_{in}\,\mathrm{Var}(w)/2 = 1$, which is He's rule. The number that
# `rng.normal` is multiplied by is the standard deviation: the root of the variance. Where widths differ, forward and
# backward want different variances, $2/n_{in}$ and $2/n_{out}$; their product over the whole net is nearly the same.

# %% [markdown] lang="zh"
# $a_i = \sum_j W_{ij} h_j$ 的方差是 $n_{in}\,\mathrm{Var}(w)\,\mathrm{E}\,h^2$，而经过 ReLU 之后，$\mathrm{E}\,h^2$ 是 $a$ 的均方的一半。所以 $n_{in}\,\mathrm{Var}(w)/2 = 1$，这就是 He 初始化。乘在 `rng.normal` 前面的是标准差，即方差的平方根。各层宽度不同时，前向要求 $2/n_{in}$，反向要求 $2/n_{out}$；对整个网络连乘，二者相差无几。

# %% [markdown] lang="en"
# **Exercise 2.** He's rule for any activation. `slope` is the function $\phi'$; it takes an array. Return the variance
# $\sigma_w^2$ at which $\chi_1 = 1$, for signals with $q = 1$. Use `average` of section 2.

# %% [markdown] lang="zh"
# **练习 2。** 把 He 初始化推广到任意激活函数。`slope` 是函数 $\phi'$，接收一个数组。返回信号 $q = 1$ 时使 $\chi_1 = 1$ 的方差 $\sigma_w^2$。可以用第 2 节的 `average`。

# %% tags=["exercise"]
def answer(slope):
    ### BEGIN SOLUTION
    return 1 / average(lambda a: slope(a) ** 2, 1.0)
    ### END SOLUTION


# %% tags=["check"]
check.critical_variance(answer)

# %% [markdown] lang="en" tags=["solution"]
# $\chi_1 = \sigma_w^2\,\mathrm{E}\,\phi'(z)^2$ is 1 at $\sigma_w^2 = 1/\mathrm{E}\,\phi'(z)^2$. For the ReLU that is He's
# 2; for the logistic sigmoid, whose slope is at most a quarter, it is above 20. The square must stand inside the mean:
# for slopes of 0 and 1 that makes no difference, for all others it does.

# %% [markdown] lang="zh"
# 由 $\chi_1 = \sigma_w^2\,\mathrm{E}\,\phi'(z)^2 = 1$ 得 $\sigma_w^2 = 1/\mathrm{E}\,\phi'(z)^2$。对 ReLU，这就是 He 的 2；sigmoid 的斜率至多四分之一，所以超过 20。平方必须放在期望里面：斜率只取 0 和 1 时没有区别，其余情况都有区别。

# %% [markdown] lang="en"
# **Exercise 3.** Residual blocks $h_k = h_{k-1} + \alpha f(h_{k-1})$. For $\alpha = 1$ a block multiplies
# $\lVert\delta\rVert^2$ by $1 + \chi$. Which $\alpha \ge 0$ makes $\lVert\delta\rVert$ (not its square!) exactly `growth`
# times as long over `depth` blocks?

# %% [markdown] lang="zh"
# **练习 3。** 残差块 $h_k = h_{k-1} + \alpha f(h_{k-1})$。$\alpha = 1$ 时，每一块把 $\lVert\delta\rVert^2$ 乘以 $1 + \chi$。$\alpha \ge 0$ 取多少，能使 $\lVert\delta\rVert$（不是它的平方！）经过 `depth` 块之后恰好变为 `growth` 倍？

# %% tags=["exercise"]
def answer(chi, depth, growth):
    ### BEGIN SOLUTION
    return np.sqrt((growth ** (2 / depth) - 1) / chi)
    ### END SOLUTION


# %% tags=["check"]
check.residual_scale(answer)

# %% [markdown] lang="en" tags=["solution"]
# The gradient through $f$ is multiplied by $\alpha$, so its square by $\alpha^2$: a block has the factor
# $1 + \alpha^2\chi$. Over $L$ blocks $(1 + \alpha^2\chi)^{L/2} = G$, hence $\alpha^2 = (G^{2/L} - 1)/\chi$. For a fixed
# growth $\alpha$ falls as $1/\sqrt L$: that is why the branches of very deep residual nets are scaled down, or start at 0.

# %% [markdown] lang="zh"
# 经过 $f$ 的梯度乘以 $\alpha$，平方就乘以 $\alpha^2$，所以一块的因子是 $1 + \alpha^2\chi$。经过 $L$ 块，$(1 + \alpha^2\chi)^{L/2} = G$，于是 $\alpha^2 = (G^{2/L} - 1)/\chi$。放大倍数固定时，$\alpha$ 按 $1/\sqrt L$ 减小：这就是为什么很深的残差网络要把支路缩小，或者从 0 开始。
