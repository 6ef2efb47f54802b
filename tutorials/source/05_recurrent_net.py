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
# # 05 · A recurrent net explodes
#
# **Goal: follow the gradient back through time, and see that a net which learns to remember passes through
# exploding.** It begins with a gradient that vanishes. Nobody makes it explode. Learning does.
#
# You need tutorials 03 and 04 (a product of many factors; spectral radius and norm). Install once, in the folder of the
# project:
#
#     python -m pip install -e ".[notebook]"
#
# Run the cells from top to bottom. All of it takes about eight seconds. Three exercises at the end check themselves.

# %% [markdown] lang="zh"
# # 05 · 循环神经网络的梯度爆炸
#
# **目标：跟着梯度沿时间往回走，看清一件事：网络学会记忆的途中，会经过梯度爆炸。** 起初梯度是消失的；谁也没有让它爆炸，是学习让它爆炸。
#
# 需要先学教程 03 和 04（许多因子的连乘；谱半径与范数）。首次使用时，请在项目文件夹中安装：
#
#     python -m pip install -e ".[notebook]"
#
# 从上到下依次运行各个单元格，全部大约需要八秒。最后有三道自动批改的练习。

# %% tags=["setup"]
import matplotlib.pyplot as plt
import numpy as np

import minigrad as mg
from minigrad import check, hooks, nn, optim

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# ## 1. Back through time, on the tape
#
# A recurrent net reads one number $x_t$ per time step and keeps a state $h_t$. The same matrices serve at every step:
#
# $$h_t = \tanh(W h_{t-1} + U x_t), \qquad t = 0, 1, \dots, T-1, \qquad h_{-1} = 0$$
#
# Write that as a loop, and the tape holds an ordinary deep net: one layer per time step. `backward()` goes through it
# from the last step to the first. That is *backpropagation through time*. With $g_t = dL/dh_t$ the chain rule says
#
# $$g_{t-1} = W^\top \left[(1 - h_t^2) \odot g_t\right], \qquad
# \frac{dL}{dW} = \sum_t \left[(1 - h_t^2) \odot g_t\right] h_{t-1}^\top$$
#
# The matrix $W$ is used at every step, so its gradient is a sum over all steps. We let the tape do it, then do it by
# hand, then ask the ready-made layer `nn.RNN`.

# %% [markdown] lang="zh"
# ## 1. 在计算图上沿时间往回走
#
# 循环神经网络在每个时间步读入一个数 $x_t$，并保存一个隐藏状态 $h_t$。每一步用的都是同样的矩阵：
#
# $$h_t = \tanh(W h_{t-1} + U x_t), \qquad t = 0, 1, \dots, T-1, \qquad h_{-1} = 0$$
#
# 写成循环，计算图上就是一个普通的深层网络：每个时间步一层。`backward()` 从最后一步走回第一步，这就是**沿时间反向传播**（BPTT）。记 $g_t = dL/dh_t$，由链式法则：
#
# $$g_{t-1} = W^\top \left[(1 - h_t^2) \odot g_t\right], \qquad
# \frac{dL}{dW} = \sum_t \left[(1 - h_t^2) \odot g_t\right] h_{t-1}^\top$$
#
# 矩阵 $W$ 每一步都用到，所以它的梯度是对所有时间步求和。我们先让计算图来算，再手算一遍，最后问问现成的层 `nn.RNN`。

# %%
T, H = 30, 32
rng = np.random.default_rng(0)
rnn = nn.RNN(1, H, bias=False, rng=rng)             # h_t = tanh(W h_(t-1) + U x_t)
W, U = rnn.weight_hh_l0, rnn.weight_ih_l0
nn.init.orthogonal_(W, 0.9, rng)                    # 0.9 times a rotation
x, v = rng.normal(size=(T, 1)), rng.normal(size=H)

h, states = np.zeros(H), []                         # on the tape
for t in range(T):
    h = np.tanh(W @ h + U @ x[t])
    h.retain_grad()
    states.append(h)
(v @ h).backward()                                  # L = v . h_(T-1)
tape = W.grad.data

g, dW, by_hand = v, np.zeros((H, H)), []            # by hand
for t in reversed(range(T)):
    by_hand.insert(0, g)
    a = (1 - states[t].data ** 2) * g
    if t > 0:                                       # before the first step the state is 0
        dW += np.outer(a, states[t - 1].data)
    g = W.data.T @ a

seen = {}                                           # the layer shows its gradient to a step hook
rnn.register_step_hook(lambda g, t: seen.__setitem__(t, g.data))
(v @ rnn(x)[1][0]).backward()

print("||dL/dh_t||         tape      by hand    step hook of nn.RNN")
for t in (0, 10, 20, 29):
    sizes = [np.linalg.norm(g) for g in (states[t].grad.data, by_hand[t], seen[t])]
    print(f"t = {t:<7d}   " + "   ".join(f"{size:10.8f}" for size in sizes))
print(f"\ndL/dW, tape and hand: norm {np.linalg.norm(tape):.6f} and {np.linalg.norm(dW):.6f}, "
      f"all elements agree: {np.allclose(tape, dW)}")

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** Three ways, one gradient. Back through 29 steps it has shrunk to about a sixtieth. The rotation times
# 0.9 alone would leave $0.9^{29} = 0.047$; the slope $1 - h_t^2$ of the tanh took the rest.
#
# ## 2. Turn the gain
#
# Now 60 steps, 64 units, and $W$ is `gain` times a rotation. The input is noise. Without the tanh each step would
# multiply the length of $g$ by exactly the gain: that is the dashed line, the law $w^T$ of tutorial 03 again.

# %% [markdown] lang="zh"
# **结论。** 三种方法，同一个梯度。往回走 29 步，梯度缩小到约六十分之一。单看 0.9 倍的旋转，会剩下 $0.9^{29} = 0.047$；其余的是 tanh 的斜率 $1 - h_t^2$ 吃掉的。
#
# ## 2. 转动增益旋钮
#
# 现在走 60 步，用 64 个隐藏单元，$W$ 等于 `gain`（增益）乘一个旋转矩阵，输入是噪声。如果没有 tanh，每一步都恰好把 $g$ 的长度乘以增益：这就是虚线，又是教程 03 的规律 $w^T$。

# %% slideshow={"slide_type": "subslide"}
def through_time(gain, ax):
    """Draw ||dL/dh_t|| over t for a tanh RNN whose matrix is `gain` times a rotation."""
    rng = np.random.default_rng(1)
    rnn = nn.RNN(1, 64, bias=False, rng=rng)
    nn.init.orthogonal_(rnn.weight_hh_l0, gain, rng)
    norms = np.zeros(60)
    rnn.register_step_hook(lambda g, t: norms.__setitem__(t, g.norm().item()))
    v = rng.normal(size=64)
    h, last = rnn(rng.normal(size=(60, 1)))
    (last[0] @ (v / np.linalg.norm(v))).backward()
    t = np.arange(60)
    ax.semilogy(t, norms, lw=2, label="measured, with tanh")
    ax.semilogy(t, gain ** (59.0 - t), "k--", lw=1.2, label="predicted, without")
    ax.set(xlabel="time step t (the loss is at the right)", ylabel="||dL/dh_t||",
           ylim=(1e-20, 1e20), yticks=10.0 ** np.arange(-15, 16, 5),
           title=f"mean slope of tanh {np.mean(1 - h.data ** 2):.2f}")
    ax.legend(loc="upper left", fontsize=9)


mg.plot.explore(through_time, gain=(0.5, 1.75, 0.05), panels=6)
plt.show()

# %% [markdown] lang="en" slideshow={"slide_type": "fragment"}
# **What to see.** Read each panel from right to left, as the gradient travels. At a gain of 0.5 the lines are one: the
# states are small, and the slope $1 - h^2$ is nearly 1. Above 1 they part. At 1.75 the dashed line climbs fourteen
# decades, the measured one about three: a large gain makes large states, and there the tanh is flat. The blue line is
# steepest at the very left. The first states are still small.
#
# **Found.** Vanishing follows the law of the matrix. Exploding stays far behind it. So is exploding harmless? That was a
# random net. Let one *learn*.

# %% [markdown] lang="zh"
# **看什么。** 每幅小图都从右往左读，那是梯度传播的方向。增益为 0.5 时两条线重合：状态很小，斜率 $1 - h^2$ 几乎等于 1（小图标题给出 tanh 斜率的平均值）。增益超过 1，两条线就分开了。到 1.75 时，虚线（没有 tanh 的预测）攀升十四个数量级，实测的蓝线只升了约三个：增益大，状态就大，而 tanh 在那里是平的。蓝线在最左端最陡，因为最初几步的状态还很小。
#
# **结论。** 梯度消失服从矩阵的规律，梯度爆炸却远远赶不上。那么爆炸就无关紧要吗？刚才那是随机网络。让网络**学习**，再来看。

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# ## 3. Learn to remember
#
# The first number is $+1$ or $-1$. Then come 29 numbers of noise. At the end, say which it was. Nothing at the last step
# gives it away: the net must carry one bit through 29 steps.
#
# $W$ starts as 0.9 times a rotation, so the gradient vanishes. We use gradient descent with the clip of tutorial 00,
# which keeps the step short (tutorial 06 is about that). At every update we note $\lVert dL/dh_t \rVert$ for every $t$,
# and at every fifth the spectral radius $\rho(W)$. Who guesses has a loss of $\ln 2 = 0.69$. A seed has *learned* if its last losses
# are below 0.1.

# %% [markdown] lang="zh"
# ## 3. 学会记忆
#
# 第一个数是 $+1$ 或 $-1$，接着是 29 个噪声，最后要答出第一个数是哪个。最后一步看不出任何端倪：网络必须把一个比特带过 29 步。
#
# $W$ 的初值是 0.9 乘一个旋转矩阵，所以梯度是消失的。我们用梯度下降，加上教程 00 的裁剪，让每一步不致过长（教程 06 专讲裁剪）。每次更新都记下每个 $t$ 的 $\lVert dL/dh_t \rVert$，每五次更新记一次谱半径 $\rho(W)$。瞎猜的损失是 $\ln 2 = 0.69$。最后的损失低于 0.1，才算这个种子**学会了**。

# %%
def draw(rng, batch=20, noise=0.2):
    """Return sequences x (T, batch, 1) that begin with -1 or 1; y (batch, 1) says which."""
    y = rng.choice([0.0, 1.0], size=(batch, 1))
    x = noise * rng.normal(size=(T, batch, 1))
    x[0] = 2 * y - 1
    return x, y


def train(seed, limit=None, updates=150):
    """Return what was seen at each update. With a limit, W is shrunk when its norm is larger."""
    rng = np.random.default_rng(seed)
    rnn, out = nn.RNN(1, H, bias=False, rng=rng), nn.Linear(H, 1, rng=rng)
    W = rnn.weight_hh_l0
    nn.init.orthogonal_(W, 0.9, rng)
    nn.init.zeros_(out.bias)
    trace = mg.NormTrace()
    opt = optim.SGD([*rnn.parameters(), *out.parameters()], lr=0.1, hooks=[hooks.ClipNorm(1.0)],
                    trace=trace)
    norms, through, radius = np.zeros(T), [], []
    rnn.register_step_hook(lambda g, t: norms.__setitem__(t, np.linalg.norm(g.data)))
    for update in range(updates):
        x, y = draw(rng)
        loss = nn.functional.binary_cross_entropy_with_logits(out(rnn(x)[1][0]), y)
        opt.zero_grad()
        loss.backward()
        through.append(norms / norms[-1])
        if update % 5 == 0:
            radius.append(mg.theory.spectral_radius(W.data))
        opt.step(loss=loss)
        if limit and (size := mg.theory.spectral_norm(W.data)) > limit:
            W.data = W.data * (limit / size)
    return {"through": np.array(through), "radius": np.array(radius), "rnn": rnn,
            "loss": trace.column("loss", stage=0), "norm": trace.column("norm_in", stage=0)}


def report(runs):
    """Print a line per seed: gradient at the first step over the last, radius, norm, outcome."""
    print("      ||dL/dh_0|| / ||dL/dh_T-1||   spectral radius   norm of whole gradient")
    print("seed        first     largest       first    last         first   largest   learned")
    learned = [run["loss"][-20:].mean() < 0.1 for run in runs]
    for seed, run in enumerate(runs):
        ratio, radius, norm = run["through"][:, 0], run["radius"], run["norm"]
        print(f"{seed:4d}   {ratio[0]:10.3f}   {ratio.max():9.2f}   "
              f"{radius[0]:9.2f}   {radius[-1]:5.2f}   "
              f"{norm[0]:11.2f}   {norm.max():7.2f}   {'yes' if learned[seed] else 'no':>7}")
    print(f"{sum(learned)} of {len(runs)} learned")


free = [train(seed) for seed in range(8)]
report(free)

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** All seeds begin with a gradient that vanishes: the ratio is about 0.043, near $0.9^{29} = 0.047$. All seeds
# learn. And on the way *every* seed passes a point where the gradient is longer at the first step than at the last: seed
# 6 only just, the others by factors from 7 to 34. The spectral radius leaves 0.9, crosses 1 and ends near 1.6. And
# the norm of the whole gradient, which is what a clip sees, grows to between 8 and 80 times its first value.
#
# ## 4. Must it be so?
#
# Forbid it. The same net, the same seeds; but after each update $W$ is shrunk so that its norm, the largest singular
# value, stays at 0.9 at most. Then no step can make the gradient longer.

# %% [markdown] lang="zh"
# **结论。** 所有种子一开始梯度都消失：比值约 0.043，接近 $0.9^{29} = 0.047$。所有种子都学会了。而且途中**每一个**种子都经过这样一处：第一步的梯度比最后一步更长。种子 6 只是刚刚超过，其余为 7 到 34 倍。谱半径离开 0.9，越过 1，最后在 1.6 附近。整个梯度的范数（裁剪看到的就是它）涨到初值的 8 到 80 倍。
#
# ## 4. 非如此不可吗？
#
# 那就禁止它。同样的网络，同样的种子；只是每次更新后都缩小 $W$，使它的范数（最大奇异值）不超过 0.9。这样，没有哪一步能让梯度变长。

# %%
held = [train(seed, limit=0.9) for seed in range(8)]
report(held)


def memory(rnn):
    """Return how far apart 1 and -1 at first bring the last state, over how far noise moves it."""
    rng = np.random.default_rng(0)
    ends = []
    for first in (1.0, -1.0):
        x = 0.2 * rng.normal(size=(T, 200, 1))
        x[0] = first
        with mg.no_grad():
            ends.append(rnn(x)[1][0].data)
    means = [end.mean(axis=0) for end in ends]
    noise = np.sqrt(np.mean([end.var(axis=0).sum() for end in ends]))
    return np.linalg.norm(means[0] - means[1]) / noise


print("\nbit in the last state, over noise:")
for name, runs in (("free", free), ("held", held)):
    kept = [memory(run["rnn"]) for run in runs]
    print(f"{name}: from {min(kept):.2f} to {max(kept):.2f}")

# %% slideshow={"slide_type": "slide"}
with mg.plot.styled():
    figure, axes = plt.subplots(3, 2, figsize=(10, 7.6), dpi=90, layout="constrained", sharex=True,
                                height_ratios=(2.6, 1, 1))
    for column, (runs, title) in enumerate([(free, "free"), (held, "norm of W held at 0.9")]):
        image = mg.plot.time_map(runs[0]["through"], axes[0, column], limits=(1 / 30, 30),
                                 colorbar=False, title=title)
        image.set_cmap("RdBu_r")
        for ax, what, label, level in ((axes[1, column], "radius", "spectral radius", 1.0),
                                       (axes[2, column], "loss", "loss", np.log(2))):
            for run in runs:
                values = run[what]
                at = np.linspace(0, 150, len(values), endpoint=False)   # every update, or fifth
                ax.plot(at, values, color="#0072B2", lw=1.8 if run is runs[0] else 0.6)
            ax.axhline(level, color="k", ls="--", lw=1,
                       label="1" if what == "radius" else "guessing: ln 2")
            ax.set(ylabel=label, ylim=(0.6, 1.9) if what == "radius" else (-0.05, 1.1))
            ax.legend(loc="upper right" if what == "loss" else "upper left", fontsize=9)
        axes[0, column].set_xlabel("")
        axes[2, column].set_xlabel("update")
    bar = figure.colorbar(image, ax=axes[0], pad=0.02, label="||dL/dh_t|| / ||dL/dh_T-1||")
    bar.set_ticks(np.log10([1 / 30, 0.1, 1 / 3, 1, 3, 10, 30]),
                  labels=["1/30", "1/10", "1/3", "1", "3", "10", "30"])
plt.show()

# %% [markdown] lang="en" slideshow={"slide_type": "fragment"}
# **What to see.** Top: seed 0. Each column is one backward pass: it starts at the top, at the loss, and runs down to the
# first time step. Blue is shorter than at the start of the pass, white as long, red longer. *Left:* first blue, the
# gradient never reaches the bottom. Then a red wedge opens, and in the same updates the spectral radius (middle, thick
# line; thin lines are the other seeds) crosses 1 and the loss (bottom) falls. Red is strongest at the bottom, in the
# first time steps, as in section 2. From about update 117 on, with the loss near 0, the picture changes once more: blue,
# and only a pale red at the bottom. *Right:* held at 0.9 the bottom stays blue for good, and the loss stays at guessing.
#
# **Found.** One product of factors does two things. Read forward, $\partial h_{T-1} / \partial h_0$ carries the *memory*
# of the first number; read backward it carries the *gradient*. Hold every factor below 1 and both fade: in the last state
# the bit is at most about a fifth as large as the noise, and 0 of 8 seeds learn. To remember, a net needs factors of 1
# and more, and with those a gradient can explode. A clip does not avoid this place. It helps to get through it.

# %% [markdown] lang="zh"
# **看什么。** 上图是种子 0。每一列是一次反向传播，从最上方的损失出发，向下走到第一个时间步。蓝色比出发时短，白色一样长，红色更长。**左**（free，不加约束）：先是一片蓝，梯度到不了底部；随后张开一个红色的楔形，正是在那几次更新中，谱半径（中图，粗线；细线是其他种子）越过 1，损失（下图）下降。底部（最初几个时间步）最红，与第 2 节一致。大约从第 117 次更新起，损失接近 0，图案又变了：大片蓝色，只有底部还有淡淡的红。**右**（$W$ 的范数压在 0.9）：底部始终是蓝的，损失停在瞎猜的水平。
#
# **结论。** 同一个连乘积有两重作用。往前看，$\partial h_{T-1} / \partial h_0$ 传递对第一个数的**记忆**；往后看，传递的是**梯度**。把每个因子都压在 1 以下，两者一同衰减：在最后的状态里，那个比特至多约为噪声的五分之一，8 个种子没有一个学会。要记忆，就需要不小于 1 的因子，而有了这样的因子，梯度就可能爆炸。裁剪并不能绕开这个地方，只是帮助网络穿过去。

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# ## Your turn
#
# Replace `raise NotImplementedError` and run the cell below it.
#
# **Exercise 1.** One step back. Given are `W` (H, H), the state `h` $= h_t$ that the step produced, and `g` $= dL/dh_t$.
# Return $dL/dh_{t-1}$.

# %% [markdown] lang="zh"
# ## 练习
#
# 把 `raise NotImplementedError` 换成你的代码，再运行下面的单元格。
#
# **练习 1。** 往回走一步。给定 `W`（H, H）、这一步算出的状态 `h` $= h_t$ 和 `g` $= dL/dh_t$，返回 $dL/dh_{t-1}$。

# %% tags=["exercise"]
def answer(W, h, g):
    ### BEGIN SOLUTION
    return W.T @ ((1 - h ** 2) * g)
    ### END SOLUTION


# %% tags=["check"]
check.step_back(answer)

# %% [markdown] lang="en" tags=["solution"]
# Forward, the step multiplies by $W$ and then applies the tanh. Backward everything comes in the opposite order: first
# the slope of the tanh, element by element, then the transpose of $W$. The slope is $1 - \tanh^2$, and the tanh has
# been computed already: it is `h` itself.

# %% [markdown] lang="zh" tags=["solution"]
# 前向时，这一步先乘 $W$，再取 tanh。反向时顺序倒过来：先逐元素乘 tanh 的斜率，再乘 $W$ 的转置。斜率是 $1 - \tanh^2$，而 tanh 的值已经算好了，就是 `h` 本身。

# %% [markdown] lang="en"
# **Exercise 2.** The gradient of the shared matrix. Given are `W`, all states `h` (T, H), and `g` $= dL/dh_{T-1}$; the
# loss depends on nothing but the last state. The state before the first step is 0. Return $dL/dW$, by plain NumPy.

# %% [markdown] lang="zh"
# **练习 2。** 共享矩阵的梯度。给定 `W`、全部状态 `h`（T, H）和 `g` $= dL/dh_{T-1}$；损失只依赖于最后一个状态。第一步之前的状态是 0。只用 NumPy，返回 $dL/dW$。

# %% tags=["exercise"]
def answer(W, h, g):
    ### BEGIN SOLUTION
    dW = np.zeros_like(W)
    for t in reversed(range(1, len(h))):
        a = (1 - h[t] ** 2) * g
        dW += np.outer(a, h[t - 1])
        g = W.T @ a
    return dW
    ### END SOLUTION


# %% tags=["check"]
check.shared_matrix(answer)

# %% [markdown] lang="en" tags=["solution"]
# Each step adds the outer product of what arrives at its pre-activation and the state that $W$ was multiplied with. The
# loop ends at $t = 1$: the state before step 0 is zero and adds nothing. (In Python `h[-1]` is the *last* state. A loop
# that runs to $t = 0$ and takes `h[t - 1]` adds nonsense without an error.)
#
# When the gradient vanishes, the terms of early steps are tiny, and the sum does not show it: its norm is that of the
# last few terms. That is why this notebook looks at $dL/dh_t$ and not only at $dL/dW$.

# %% [markdown] lang="zh" tags=["solution"]
# 每一步贡献一个外积：到达激活函数输入处的梯度，乘以当时与 $W$ 相乘的状态。循环到 $t = 1$ 为止：第 0 步之前的状态是零，没有贡献。（在 Python 里，`h[-1]` 是**最后一个**状态。若循环到 $t = 0$ 并取 `h[t - 1]`，就会悄无声息地加进错误的一项。）
#
# 梯度消失时，早期各步的项微乎其微，而总和看不出这一点：它的范数由最后几项决定。所以本教程看的是 $dL/dh_t$，而不只是 $dL/dW$。

# %% [markdown] lang="en"
# **Exercise 3.** Read a trace. `norms[t]` is $\lVert dL/dh_t \rVert$, all of them above 0, and the loss is at the right
# end. By which constant factor per step *back* would one get from the last norm to the first? Above 1 the gradient
# explodes, below 1 it vanishes. There are at least two steps.

# %% [markdown] lang="zh"
# **练习 3。** 解读记录。`norms[t]` 是 $\lVert dL/dh_t \rVert$，全都大于 0，损失在右端。如果每**往回**走一步都乘同一个因子，要从最后一个范数得到第一个，这个因子应是多少？大于 1 是爆炸，小于 1 是消失。至少有两个时间步。

# %% tags=["exercise"]
def answer(norms):
    ### BEGIN SOLUTION
    steps = len(norms) - 1
    return (norms[0] / norms[-1]) ** (1 / steps)
    ### END SOLUTION


# %% tags=["check"]
check.factor_back(answer)

# %% [markdown] lang="en" tags=["solution"]
# $T$ norms have $T - 1$ steps between them, and the factors multiply: $f^{T-1} = $ first / last. So it is the geometric
# mean of the ratios, not the arithmetic one. For a factor of 2 and then one of 1/2 the net effect is 1; the arithmetic
# mean would say 1.25, "explodes".

# %% [markdown] lang="zh" tags=["solution"]
# $T$ 个范数之间有 $T - 1$ 步，因子是相乘的：$f^{T-1} = $ 第一个 / 最后一个。所以要用各比值的几何平均，而不是算术平均。先乘 2 再乘 1/2，总效果是 1；算术平均却是 1.25，会误判为“爆炸”。
