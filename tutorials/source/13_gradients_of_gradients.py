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
# # 13 · Gradients of gradients
#
# **Goal: differentiate a gradient, and see with it where training goes.** You measure the curvature of a loss that has a
# million second derivatives without computing them, watch it settle on a line that the learning rate draws, and move
# that line with a penalty.
#
# You need tutorials 01 (`mg.grad`) and 05 (recurrent nets). Install once, in the folder of the project:
#
#     python -m pip install -e ".[notebook]"
#
# All of it takes about twenty seconds.

# %% [markdown] lang="zh"
# # 13 · 梯度的梯度
#
# **目标：对梯度再求梯度，并借此看清训练会走到哪里。** 损失有一百万个二阶导数，你不必逐一算出，就能测出曲率；你会看到曲率停在一条由学习率画出的线上，再用惩罚项移动这条线。
#
# 需要先学教程 01（`mg.grad`）和 05（循环神经网络）。首次使用时，请在项目文件夹中安装：
#
#     python -m pip install -e ".[notebook]"
#
# 全部运行大约需要二十秒。

# %% tags=["setup"]
import matplotlib.pyplot as plt
import numpy as np

import minigrad as mg
from minigrad import check, nn, optim, penalty

BLUE, GREEN, RED = "#0072B2", "#009E73", "#D55E00"

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# ## 1. Double backward
#
# A gradient is computed by multiplications and additions, just like a loss. So it can be recorded on the tape, and
# differentiated again. `mg.grad(y, x, create_graph=True)` records it. (Without, it is faster, and a mere number.)
# We try the derivatives of $t = \tanh x$, which are
#
# $$1 - t^2, \qquad -2t(1 - t^2), \qquad -2(1 - t^2)(1 - 3t^2), \qquad 8t(1 - t^2)(2 - 3t^2)$$

# %% [markdown] lang="zh"
# ## 1. 二次反向传播
#
# 梯度和损失一样，也是用乘法和加法算出来的，所以同样可以记录在计算图上，再求一次导。`mg.grad(y, x, create_graph=True)` 就会记录求梯度的过程。（不加这个参数更快，但得到的只是一个数。）用 $t = \tanh x$ 的各阶导数试一试：
#
# $$1 - t^2, \qquad -2t(1 - t^2), \qquad -2(1 - t^2)(1 - 3t^2), \qquad 8t(1 - t^2)(2 - 3t^2)$$

# %%
x = mg.tensor(0.5, requires_grad=True)
t = np.tanh(0.5)
formulas = (1 - t ** 2, -2 * t * (1 - t ** 2), -2 * (1 - t ** 2) * (1 - 3 * t ** 2),
            8 * t * (1 - t ** 2) * (2 - 3 * t ** 2))

y = np.tanh(x)
for order, formula in enumerate(formulas, start=1):
    y = mg.grad(y, x, create_graph=True)
    print(f"derivative {order} of tanh at 0.5:   measured {y.item():10.6f}   "
          f"formula {formula:10.6f}")
print("without create_graph, on the tape:", mg.grad(np.tanh(x), x).requires_grad)

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** The engine differentiates its own gradients, here up to the fourth order.
#
# ## 2. Curvature without the matrix
#
# For a net with $n$ weights the second derivatives form a matrix $H$, the *Hessian*, of $n \times n$ entries. Its
# largest eigenvalue is the *sharpness*: the curvature of the loss in the direction in which it bends most. Nobody needs
# the matrix for that, only *products* $Hv$; and these cost one more backward pass (Pearlmutter, 1994):
#
# $$Hv = \nabla_w \left(g \cdot v\right), \qquad g = \nabla_w L, \quad v \text{ constant}$$
#
# *Power iteration* multiplies a vector by $H$ again and again, each time scaled back to the length 1. It turns to
# the direction of the largest eigenvalue, and $v \cdot Hv$ becomes that eigenvalue. Our net is small enough (1-30-30-1,
# tanh; it is to learn the Chebyshev polynomial $T_5$ from 20 points) to form $H$ just once, and compare. The next cell holds the
# tools of this tutorial: the net, the product, power iteration, and, for sections 4 and 5, the training.

# %% [markdown] lang="zh"
# **结论。** 引擎可以对自己算出的梯度再求导，这里一直求到四阶。
#
# ## 2. 不写出矩阵，也能求曲率
#
# 网络有 $n$ 个权重，二阶导数就组成一个 $n \times n$ 的矩阵 $H$，即**海森矩阵**。它的最大特征值叫**锐度**，也就是损失在弯曲最厉害的方向上的曲率。求锐度并不需要整个矩阵，只需要**乘积** $Hv$，而这只要多做一次反向传播（Pearlmutter，1994）：
#
# $$Hv = \nabla_w \left(g \cdot v\right), \qquad g = \nabla_w L, \quad v \text{ 为常量}$$
#
# **幂迭代**反复用 $H$ 乘一个向量，每次都把长度缩放回 1。向量会转向最大特征值的方向，$v \cdot Hv$ 就趋于这个特征值。我们的网络（1-30-30-1，tanh，从 20 个点学习切比雪夫多项式 $T_5$）足够小，可以把整个 $H$ 算出来一次，作个比较。下一个单元格是本教程的全部工具：网络、乘积、幂迭代，以及第 4、5 节用的训练函数。

# %% tags=["setup"]
points = np.linspace(-1, 1, 20)[:, None]
values = np.polynomial.chebyshev.chebval(points, [0, 0, 0, 0, 0, 1])      # T_5


def make_net(seed, width=30):
    rng = np.random.default_rng(seed)
    net = nn.Sequential(nn.Linear(1, width, rng=rng), nn.Tanh(),
                        nn.Linear(width, width, rng=rng), nn.Tanh(), nn.Linear(width, 1, rng=rng))
    for layer in net[::2]:
        nn.init.normal_(layer.weight, std=layer.weight.shape[1] ** -0.5, rng=rng)
        nn.init.zeros_(layer.bias)
    return net


def loss_of(net):
    return ((net(points) - values) ** 2).mean() / 2


def dot(us, vs):
    """Return the scalar product of two vectors that are lists of arrays (or tensors)."""
    return sum((u * v).sum() for u, v in zip(us, vs))


def product(grads, params, v):
    """Return H v: the gradient of g . v. (retain_graph: the tape is needed once more.)"""
    return [h.data for h in mg.grad(dot(grads, v), params, retain_graph=True)]


def sharpness(net, v, products=6):
    """Return the largest eigenvalue of H by power iteration from v, and the vector it came to."""
    params = net.parameters()
    grads = mg.grad(loss_of(net), params, create_graph=True)
    for _ in range(products):
        length = dot(v, v) ** 0.5
        v = [a / length for a in v]
        hv = product(grads, params, v)
        value, v = dot(v, hv), hv
    return value, v


def random_vector(net, seed):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=p.shape) for p in net.parameters()]


def train(seed, rate, time=300, measurements=40, lam=0.0, momentum=0.0):
    """Descend on L + lam ||g||^2; return the times of measurement, the sharpness of L, all losses.

    Time is the number of updates times the rate, so that different rates can be compared.
    """
    net = make_net(seed)
    opt = optim.SGD(net.parameters(), lr=rate, momentum=momentum)
    v = random_vector(net, seed + 100)
    updates = round(time / rate)
    every = updates // measurements
    found, losses = [], []
    for update in range(updates):
        if update % every in (0, 1):
            value, v = sharpness(net, v)
            found.append(value)
        opt.zero_grad()
        loss = loss_of(net)
        losses.append(loss.item())
        if lam:
            loss = loss + penalty.grad_norm_penalty(loss, net.parameters(), lam, squared=True)
        loss.backward()
        opt.step()
    pairs = np.reshape(found[:2 * measurements], (-1, 2)).mean(axis=1)
    return np.arange(len(pairs)) * every * rate, pairs, np.array(losses)


def last_third(values):
    return values[2 * len(values) // 3:]


# %%
net = make_net(seed=0)
params = net.parameters()
n = sum(p.data.size for p in params)
ends = np.cumsum([p.data.size for p in params])[:-1]
grads = mg.grad(loss_of(net), params, create_graph=True)

rows = []
for unit in np.eye(n):                      # a product with each unit vector gives a column of H
    v = [piece.reshape(p.shape) for piece, p in zip(np.split(unit, ends), params)]
    rows.append(np.concatenate([a.ravel() for a in product(grads, params, v)]))
H = np.array(rows)

print(f"weights: {n}; entries of H: {H.size}; symmetric: {np.allclose(H, H.T)}")
print(f"largest eigenvalue of the whole matrix:      {np.linalg.eigvalsh(H)[-1]:.4f}")
for products in (2, 6, 20):
    print(f"power iteration, after {products:2d} products:          "
          f"{sharpness(net, random_vector(net, seed=1), products)[0]:.4f}")

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** Twenty products give what takes a matrix of a million entries otherwise. If the vector of the last
# measurement is kept, six do.
#
# ## 3. What the textbook says
#
# Take a loss of one weight with constant curvature, $L = \frac{s}{2} w^2$. Gradient descent with the rate $\eta$ makes
# $w \leftarrow w - \eta s w = (1 - \eta s)\,w$. It settles if $|1 - \eta s| < 1$, that is if
#
# $$s < \frac{2}{\eta}$$
#
# Above that it swings from side to side, further each time.

# %% [markdown] lang="zh"
# **结论。** 二十次乘积，就得到了本来要用一百万个元素的矩阵才能得到的数。若保留上次测量所得的向量，六次就够了。
#
# ## 3. 教科书怎么说
#
# 取只有一个权重、曲率不变的损失 $L = \frac{s}{2} w^2$。学习率为 $\eta$ 的梯度下降给出 $w \leftarrow w - \eta s w = (1 - \eta s)\,w$。当 $|1 - \eta s| < 1$ 时收敛，也就是
#
# $$s < \frac{2}{\eta}$$
#
# 超过这个界，$w$ 就左右摆动，一次比一次远。

# %%
print("rate 0.1, so 2 / rate = 20; |w| after 100 updates from w = 1")
for s in (5, 19, 20, 21):
    w = mg.tensor(1.0, requires_grad=True)
    opt = optim.SGD([w], lr=0.1)
    for _ in range(100):
        opt.zero_grad()
        (s / 2 * w ** 2).backward()
        opt.step()
    print(f"curvature {s:2d}:   measured {abs(w.item()):9.3g}   "
          f"predicted |1 - 0.1 s|^100 = {abs(1 - 0.1 * s) ** 100:9.3g}")

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** As predicted: at 19 it settles, at 21 it is thrown out.
#
# ## 4. What a net does
#
# The curvature of a net is not constant. Train ours by plain gradient descent on all points at once, with three rates
# and three seeds, and measure its sharpness along the way. (Where it swings across a valley, the two sides may differ in
# sharpness; so we take the mean over two updates in a row.) What do you expect when the sharpness comes to $2/\eta$?

# %% [markdown] lang="zh"
# **结论。** 与预测一致：曲率 19 时收敛，21 时被甩出去。
#
# ## 4. 网络实际怎样
#
# 网络的曲率不是常数。用最朴素的全批量梯度下降训练我们的网络，三种学习率，三个种子，沿途测量锐度。（在山谷两侧来回摆动时，两侧的锐度可能不同，所以取相邻两次更新的平均。）你猜，锐度到达 $2/\eta$ 时会发生什么？

# %% slideshow={"slide_type": "slide"}
with mg.plot.styled():
    _, (left, right) = plt.subplots(1, 2, figsize=(10, 3.9), dpi=90, layout="constrained")
    by_rate = {}
    for inverse, colour in ((5, BLUE), (10, GREEN), (15, RED)):
        rate, edge = 1 / inverse, 2 * inverse
        runs = by_rate[inverse] = [train(seed, rate) for seed in range(3)]
        for seed, (time, found, _) in enumerate(runs):
            label = None if seed else f"rate 1/{inverse}"
            left.plot(time, found, color=colour, lw=1.4, label=label)
        left.axhline(edge, color="black", ls="--", lw=1.2,
                     label="2 / rate" if inverse == 5 else None)
        losses = runs[0][2]
        shown = np.arange(0, len(losses), 5)
        right.semilogy(shown * rate, losses[shown], color=colour, lw=1, label=f"rate 1/{inverse}")

        near = sum(abs(last_third(found).mean() / edge - 1) < 0.15 for _, found, _ in runs)
        lower = sum(losses[-1] < losses[0] for _, _, losses in runs)
        raised = sum((np.diff(last_third(losses)) > 0).any() for _, _, losses in runs)
        print(f"rate 1/{inverse}, three seeds: sharpness at first",
              ", ".join(f"{found[0]:.1f}" for _, found, _ in runs))
        print(f"   mean of the last third within 15 % of {edge}: {near} of 3")
        print(f"   loss lower at the end: {lower} of 3; "
              f"updates in the last third raise it: {raised} of 3")
    left.set(title="Sharpness during gradient descent, 3 seeds", xlabel="updates x rate",
             ylabel="sharpness", ylim=(0, 42))
    left.legend(loc="upper left", ncols=2)
    right.set(title="The loss falls, not at every update (seed 0)", xlabel="updates x rate",
              ylabel="loss", ylim=(0.08, 4))
    right.legend(loc="upper right", ncols=3)
plt.show()

# %% [markdown] lang="en" slideshow={"slide_type": "fragment"}
# **What to see.** *Left:* each run begins at a sharpness of 6 to 9. It rises, comes to its dashed line $2/\eta$, and stays
# about it. Nothing in the rule $w \leftarrow w - \eta g$ knows of a sharpness. *Right:* beyond the line the textbook promises
# disaster, and the loss does rise, at single updates, in narrow peaks. Then it goes on falling. The net is no
# quadratic: when the swings grow they carry it to a place where it bends less. This is the *edge of stability* (Cohen and
# others, 2021). So the rate decides how sharp a place training ends in, and "choose $\eta$ below $2/s$" is no rule for
# nets: $s$ comes to $2/\eta$ by itself.
#
# ## 5. A penalty moves the line
#
# Add the gradient itself to the loss. Its derivative needs second derivatives, again as one product with $H$:
#
# $$\nabla\left(L + \lambda \lVert g \rVert\right) = g + \lambda \frac{Hg}{\lVert g \rVert} \qquad
#   \nabla\left(L + \lambda \lVert g \rVert^2\right) = g + 2\lambda Hg$$
#
# What does the second do to the edge? Near a minimum of curvature $s$ the gradient is $sw$, so the penalised one is
# $(s + 2\lambda s^2)\,w$. Descent stays at its edge, so we expect $s + 2\lambda s^2 = 2/\eta$:
#
# $$s = \frac{-1 + \sqrt{1 + 16\,\lambda / \eta}}{4\lambda}$$

# %% [markdown] lang="zh"
# **看什么。** 横轴是更新次数乘学习率。**左**：每次训练开始时，锐度在 6 到 9 之间；然后上升，到达各自的虚线 $2/\eta$，就停在附近。更新规则 $w \leftarrow w - \eta g$ 对锐度可是一无所知。**右**：越过这条线，按教科书的说法就要出事；损失确实会在个别更新上升，形成尖峰，随后却继续下降。因为网络不是二次函数：摆动变大，就会把参数带到弯曲较缓的地方。这就是**稳定性边缘**（edge of stability，Cohen 等，2021）。所以，是学习率决定了训练最终停在锐度多大的地方；“取 $\eta$ 小于 $2/s$”对网络来说算不上规则，因为 $s$ 自己会走到 $2/\eta$。
#
# ## 5. 用惩罚项移动这条线
#
# 把梯度本身加进损失。对这一项求导要用到二阶导数，同样只需一次与 $H$ 的乘积：
#
# $$\nabla\left(L + \lambda \lVert g \rVert\right) = g + \lambda \frac{Hg}{\lVert g \rVert} \qquad
#   \nabla\left(L + \lambda \lVert g \rVert^2\right) = g + 2\lambda Hg$$
#
# 第二种惩罚会怎样改变边缘？在曲率为 $s$ 的极小点附近，梯度是 $sw$，加上惩罚后是 $(s + 2\lambda s^2)\,w$。下降仍会停在自己的边缘，所以预测 $s + 2\lambda s^2 = 2/\eta$，即
#
# $$s = \frac{-1 + \sqrt{1 + 16\,\lambda / \eta}}{4\lambda}$$

# %% slideshow={"slide_type": "subslide"}
net = make_net(seed=0)
params = net.parameters()
loss = loss_of(net)
g = mg.grad(loss, params, create_graph=True)
hg = product(g, params, [a.data for a in g])
length = dot(g, g).item() ** 0.5
for squared, factor in ((False, 0.1 / length), (True, 0.2)):
    total = loss + penalty.grad_norm_penalty(loss, params, 0.1, squared=squared)
    measured = mg.grad(total, params, retain_graph=True)
    agree = all(np.allclose(m.data, a.data + factor * h) for m, a, h in zip(measured, g, hg))
    print(f"gradient of L + lam ||g||{'^2' if squared else '  '} as in the formula: {agree}")

rate = 1 / 10
with mg.plot.styled():
    _, ax = plt.subplots(figsize=(8, 3.6), dpi=110, layout="constrained")
    for seed in range(2):                               # without a penalty: the runs of section 4
        time, found, _ = by_rate[10][seed]
        ax.plot(time, found, color=GREEN, lw=1.4, label=None if seed else "no penalty")
    ax.axhline(2 / rate, color="black", ls="--", lw=1.2, label="predicted edge")
    for lam, colour in ((0.02, BLUE), (0.1, RED)):
        edge = (-1 + (1 + 16 * lam / rate) ** 0.5) / (4 * lam)
        ax.axhline(edge, color="black", ls="--", lw=1.2)
        near = 0
        for seed in range(2):
            time, found, _ = train(seed, rate, time=150, lam=lam)
            near += abs(last_third(found).mean() / edge - 1) < 0.15
            label = None if seed else f"penalty {lam:g} ||g||²"
            ax.plot(time, found, color=colour, lw=1.4, label=label)
        print(f"penalty {lam:<4g}: predicted edge {edge:5.2f}; "
              f"mean of the last third within 15 % of it: {near} of 2")
    ax.set(title="Sharpness with a penalty on the gradient, rate 1/10, 2 seeds",
           xlabel="updates x rate", ylabel="sharpness", xlim=(0, 155), ylim=(0, 32))
    ax.legend(loc="upper left", ncols=2)
plt.show()

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** The gradient of the penalised loss is as in the formulas. And the edge moves from 20 to 13 to 8, where
# it was predicted. So a penalty on the gradient leads to flatter places. (No hook could do this: a hook sees a gradient
# that is there already, and no $H$.)
#
# ## 6. A penalty for time: Omega
#
# In a recurrent net $h_t = \tanh(W h_{t-1} + U x_t + b)$ (bias included) the gradient goes back in time by $\delta_{t-1} =
# W^\top\left[(1 - h_t^2) \odot \delta_t\right]$, with $\delta_t = dL/dh_t$. Where each step shortens it, it vanishes, and no clip
# brings it back. Pascanu, Mikolov and Bengio (2013) ask that it keep its length:
#
# $$\Omega = \sum_t \left(\frac{\lVert \delta_{t-1} \rVert}{\lVert \delta_t \rVert} - 1\right)^2$$
#
# They differentiate it by $W$ as it stands in each step, with all $\delta_t$ and $h_t$ held constant: a penalty on gradients
# for which no double backward is needed. `penalty.Omega` adds it to `W.grad`. We descend on $\Omega$ *alone* for 100
# updates, from weights with which the gradient vanishes, for four seeds.

# %% [markdown] lang="zh"
# **结论。** 带惩罚项的损失，其梯度与公式一致。边缘从 20 移到 13，再移到 8，正是预测的位置。可见对梯度的惩罚会把训练带到较平坦的地方。（钩子做不到这一点：它看到的是已经算好的梯度，看不到 $H$。）
#
# ## 6. 沿时间的惩罚：Omega
#
# 在循环神经网络 $h_t = \tanh(W h_{t-1} + U x_t + b)$（含偏置）中，梯度沿时间往回传：$\delta_{t-1} = W^\top\left[(1 - h_t^2) \odot \delta_t\right]$，其中 $\delta_t = dL/dh_t$。如果每一步都缩短一点，梯度就会消失，裁剪也救不回来。Pascanu、Mikolov、Bengio（2013）要求梯度保持长度：
#
# $$\Omega = \sum_t \left(\frac{\lVert \delta_{t-1} \rVert}{\lVert \delta_t \rVert} - 1\right)^2$$
#
# 对 $W$ 求导时，他们只考虑每一步中直接出现的 $W$，把所有 $\delta_t$ 和 $h_t$ 当作常量：这是一种不需要二次反向传播的梯度惩罚。`penalty.Omega` 把它加到 `W.grad` 上。我们从会让梯度消失的权重出发，**只**沿 $\Omega$ 的梯度下降，更新 100 次，用四个种子。

# %% slideshow={"slide_type": "subslide"}
def backward_in_time(rnn, x, y):
    """Return ||dL/dh_t|| for all t, of a loss that looks at the last state only."""
    norms = np.zeros(len(x))
    handle = rnn.register_step_hook(lambda g, t: norms.__setitem__(t, g.norm().item()))
    rnn.zero_grad()
    nn.functional.mse_loss(rnn(x)[0][-1], y).backward()
    handle.remove()
    return norms


with mg.plot.styled():
    _, ax = plt.subplots(figsize=(8, 3.4), dpi=110, layout="constrained")
    for seed in range(4):
        rng = np.random.default_rng(seed)
        rnn = nn.RNN(1, 20, rng=rng)
        W = nn.init.orthogonal_(rnn.weight_hh_l0, 0.6, rng)
        x, y = rng.normal(size=(50, 16, 1)), rng.normal(size=(16, 20))
        before = backward_in_time(rnn, x, y)
        omega = penalty.Omega(rnn, lam=1.0)
        for _ in range(100):
            backward_in_time(rnn, x, y)
            W.grad = None                               # leave the loss out: Omega alone
            omega.add_gradient()
            W.data = W.data - 0.01 * W.grad.data
        omega.remove()
        after = backward_in_time(rnn, x, y)
        for norms, colour, text in ((before, RED, "before"),
                                    (after, BLUE, "after 100 updates on Omega")):
            ax.semilogy(norms, color=colour, lw=1.4, label=None if seed else text)
        power = np.log10(before[0] / before[-1])
        print(f"seed {seed}: first step / last step, before: about 1e{power:.0f},"
              f" after: more than a tenth: {after[0] > 0.1 * after[-1]}")
    ax.set(title="Length of the gradient on its way back in time, 4 seeds",
           xlabel="time step (backward: right to left)", ylabel="||dL/dh_t||")
    ax.legend(loc="center right")
plt.show()

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** Before, twelve powers of ten are lost in 50 steps. Afterwards the first step receives more than a tenth of what
# the last one has, for each of four seeds. Omega knows nothing of the task; it has opened the way for its gradient. A
# clip only shortens; a penalty moves the weights to where the gradient has another shape.

# %% [markdown] lang="zh"
# **结论。** 之前，50 步里梯度缩小了约十二个数量级；之后，四个种子中，第一步收到的梯度都在最后一步的十分之一以上。Omega 对任务一无所知，它只是为任务的梯度打通了道路。裁剪只会缩短梯度；惩罚则把权重带到梯度呈现另一种形状的地方。

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# ## Your turn
#
# Replace `raise NotImplementedError` and run the cell below it.
#
# **Exercise 1.** How much does a function bend along a given direction? `f` takes a tensor and returns a number on the
# tape, `w` and `v` are arrays. Return the curvature of `f` at `w` along `v`, for $v$ of any length but 0, as a number:
#
# $$\frac{v \cdot Hv}{v \cdot v}$$

# %% [markdown] lang="zh"
# ## 练习
#
# 把 `raise NotImplementedError` 换成你的代码，再运行下面的单元格。
#
# **练习 1。** 函数沿某个方向弯得有多厉害？`f` 接收一个张量，返回计算图上的一个数；`w` 和 `v` 是数组。对任意长度（非零）的 $v$，返回 `f` 在 `w` 处沿 `v` 的曲率，是一个数：
#
# $$\frac{v \cdot Hv}{v \cdot v}$$

# %% tags=["exercise"]
def answer(f, w, v):
    ### BEGIN SOLUTION
    w = mg.tensor(w, requires_grad=True)
    g = mg.grad(f(w), w, create_graph=True)
    hv = mg.grad((g * v).sum(), w)
    return (v * hv.data).sum() / (v * v).sum()
    ### END SOLUTION


# %% tags=["check"]
check.curvature(answer)

# %% [markdown] lang="en" tags=["solution"]
# The first backward pass is recorded, the second goes through it. Dividing by $v \cdot v$ makes the result independent of
# how long $v$ is. The largest value over all directions is the sharpness.

# %% [markdown] lang="zh"
# 第一次反向传播要记录下来，第二次沿着这份记录再走一遍。除以 $v \cdot v$，结果就与 $v$ 的长度无关。所有方向中的最大值就是锐度。

# %% [markdown] lang="en"
# **Exercise 2.** Is it a minimum or a saddle? That is decided by the *smallest* eigenvalue. `product` is a function that
# returns $Hv$ for an array `v`, `v` a first vector, `top` the largest eigenvalue of $H$ in magnitude, which is positive.
# Find the smallest by `steps` products. Hint: $H - \text{top} \cdot I$ has the same eigenvectors, and eigenvalues that
# are smaller by `top`: none is positive, and the one farthest from 0 belongs to the smallest.

# %% [markdown] lang="zh"
# **练习 2。** 这里是极小点还是鞍点？要看**最小**特征值。`product` 是一个函数，对数组 `v` 返回 $Hv$；`v` 是初始向量；`top` 是 $H$ 绝对值最大的特征值，它是正的。请用 `steps` 次乘积求出最小特征值。提示：$H - \text{top} \cdot I$ 的特征向量相同，特征值都减去了 `top`，没有一个是正的，其中离 0 最远的对应最小特征值。

# %% tags=["exercise"]
def answer(product, v, top, steps):
    ### BEGIN SOLUTION
    for _ in range(steps):
        v = v / np.sqrt((v * v).sum())
        shifted = product(v) - top * v
        value, v = (v * shifted).sum(), shifted
    return value + top
    ### END SOLUTION


# %% tags=["check"]
check.smallest_eigenvalue(answer)

# %% [markdown] lang="en" tags=["solution"]
# Power iteration finds the eigenvalue that is farthest from 0. The shift makes that the smallest one, and `+ top` undoes
# it. The scalar product $v \cdot (H - \text{top})v$ keeps the sign; a length would lose it. If the result is negative, a way
# leads downhill from where the gradient is 0: a saddle.

# %% [markdown] lang="zh"
# 幂迭代找到的是离 0 最远的特征值。平移之后，那就是最小的一个，最后再 `+ top` 移回来。内积 $v \cdot (H - \text{top})v$ 保留了符号，用长度就会丢掉。如果结果为负，那么从梯度为 0 的这一点出发，还有一条下坡路：这里是鞍点。

# %% [markdown] lang="en"
# **Exercise 3.** Where is the edge with momentum $\beta$? The rule is $m \leftarrow \beta m + g$, $w \leftarrow w - \eta m$, on
# $L = \frac{s}{2} w^2$. Return the curvature $s$ above which it diverges. Hint: at the edge $w$ and $m$ change their sign at
# every update and keep their size. Put $w_{k+1} = -w_k$ and $m_k = -m_{k-1}$ into the rule.

# %% [markdown] lang="zh"
# **练习 3。** 带动量 $\beta$ 时，边缘在哪里？在 $L = \frac{s}{2} w^2$ 上，更新规则是 $m \leftarrow \beta m + g$，$w \leftarrow w - \eta m$。返回一个曲率 $s$，超过它就会发散。提示：在边缘上，$w$ 和 $m$ 每次更新都变号，大小不变。把 $w_{k+1} = -w_k$ 和 $m_k = -m_{k-1}$ 代入规则。

# %% tags=["exercise"]
def answer(rate, momentum):
    ### BEGIN SOLUTION
    return 2 * (1 + momentum) / rate
    ### END SOLUTION


# %% tags=["check"]
check.momentum_edge(answer)

# %% [markdown] lang="en" tags=["solution"]
# From $m_k = -m_{k-1}$: $(1 + \beta)\,m_k = s w_k$. From $w_{k+1} = -w_k$: $\eta\, m_k = 2 w_k$. Together $s = 2(1 + \beta)/\eta$. For
# $\beta = 0$ this is $2/\eta$. Does the net know? With $\beta = 0.5$ and a rate of $1/10$ the line should lie at 30:

# %% [markdown] lang="zh"
# 由 $m_k = -m_{k-1}$ 得 $(1 + \beta)\,m_k = s w_k$；由 $w_{k+1} = -w_k$ 得 $\eta\, m_k = 2 w_k$。合起来就是 $s = 2(1 + \beta)/\eta$，当 $\beta = 0$ 时即 $2/\eta$。网络也知道这一点吗？取 $\beta = 0.5$，学习率 $1/10$，这条线应该在 30：

# %% tags=["solution"]
for seed in range(2):
    _, found, _ = train(seed, rate=1 / 10, momentum=0.5)
    edge = answer(1 / 10, 0.5)
    near = abs(last_third(found).mean() / edge - 1) < 0.15
    print(f"seed {seed}: mean sharpness in the last third within 15 % of {edge:.0f}: {near}")
