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
# # 06 · Clipping, four ways
#
# **Goal: know what each of four clips does to a gradient, and choose its threshold from what you measured.** First you
# see why a clip is needed at all: a loss can have a cliff in it.
#
# You have trained recurrent nets (tutorial 05) and plugged in a hook (tutorial 00). Install once, in the folder of the
# project:
#
#     python -m pip install -e ".[notebook]"
#
# All of it takes about ten seconds.

# %% [markdown] lang="zh"
# # 06 · 梯度裁剪的四种方式
#
# **目标：弄清四种裁剪各对梯度做了什么，并学会根据测量结果选阈值。** 先来看为什么需要裁剪：损失曲面上可能有悬崖。
#
# 你已经训练过循环神经网络（教程 05），也用过钩子（教程 00）。首次使用时，请在项目文件夹中安装：
#
#     python -m pip install -e ".[notebook]"
#
# 全部运行大约需要十秒。

# %% tags=["setup"]
import matplotlib.pyplot as plt
import numpy as np

import minigrad as mg
from minigrad import check, hooks, nn, optim, tasks

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# ## 1. A cliff
#
# Take a recurrent net of one unit (Pascanu, Mikolov and Bengio, 2013), with $\sigma$ the logistic function:
#
# $$x_0 = 0.5 \qquad x_{t+1} = w\,\sigma(x_t) + b \qquad E = (\sigma(x_{50}) - 0.7)^2$$
#
# It has two parameters, so we can look at its whole loss. One step multiplies a small change of $x$ by
# $w\,\sigma'(x)$. Choose $b$ such that $x$ stays at 0.5 for ever: $b = 0.5 - w\,\sigma(0.5)$. Then all 50 factors are
# the same number $r = w\,\sigma'(0.5)$, and a sum of powers of it gives
#
# $$\frac{dE}{db} = 2\,(\sigma(0.5) - 0.7)\,\sigma'(0.5)\,\frac{r^{50} - 1}{r - 1}$$
#
# Above $w = 1/\sigma'(0.5) = 4.26$ we have $r > 1$. There we expect a wall, along this line.

# %% [markdown] lang="zh"
# ## 1. 悬崖
#
# 取一个只有一个神经元的循环神经网络（Pascanu、Mikolov、Bengio，2013），$\sigma$ 是 logistic 函数：
#
# $$x_0 = 0.5 \qquad x_{t+1} = w\,\sigma(x_t) + b \qquad E = (\sigma(x_{50}) - 0.7)^2$$
#
# 它只有两个参数，整个损失曲面一眼就能看全。每走一步，$x$ 的微小变化都会乘上 $w\,\sigma'(x)$。选取 $b = 0.5 - w\,\sigma(0.5)$，使 $x$ 永远停在 0.5。这时 50 个因子全是同一个数 $r = w\,\sigma'(0.5)$，各次幂求和得
#
# $$\frac{dE}{db} = 2\,(\sigma(0.5) - 0.7)\,\sigma'(0.5)\,\frac{r^{50} - 1}{r - 1}$$
#
# 当 $w > 1/\sigma'(0.5) = 4.26$ 时，$r > 1$。可以预料，沿着这条线会立着一堵墙。

# %%
def loss_at(w, b, steps=50):
    """Return E for tensors or arrays w and b of one shape."""
    x = 0.5
    for _ in range(steps):
        x = w * mg.sigmoid(x) + b
    return (mg.sigmoid(x) - 0.7) ** 2


SIGMA = 1 / (1 + np.exp(-0.5))
SLOPE = SIGMA * (1 - SIGMA)


def wall(w):
    """Return b on the predicted wall."""
    return 0.5 - w * SIGMA


def slopes(w, b):
    """Return dE/dw and dE/db at each of many points."""
    w, b = mg.tensor(w, requires_grad=True), mg.tensor(b, requires_grad=True)
    return [g.data for g in mg.grad(loss_at(w, b).sum(), [w, b])]   # no point acts on another


on_wall = np.array([4.5, 5.0, 5.5, 6.0])
r = on_wall * SLOPE
predicted = 2 * (SIGMA - 0.7) * SLOPE * (r ** 50 - 1) / (r - 1)
print("   w    predicted dE/db    measured dE/db")
for w, p, m in zip(on_wall, predicted, slopes(on_wall, wall(on_wall))[1]):
    print(f"{w:4.1f} {p:18.6g} {m:17.6g}")

around = np.meshgrid(np.linspace(4, 6, 60), np.linspace(-3.2, -1.8, 60))
print(f"\nmedian length of the gradient around it: {np.median(np.hypot(*slopes(*around))):.2f}")

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** The wall is where it was predicted. At $w = 6$ the slope on it is $-2.6$ million; the median around it
# is 0.09. No single learning rate fits both.
#
# What does gradient descent do when it meets the wall? We start from eight places near it, at a rate of 0.1: once as it
# is, once with the gradient clipped to a length of 1. All eight runs go side by side, one row each; `scope="unit"` clips
# each row by itself. A run is *lost* if it ends with $E > 0.05$, and has *arrived* if it ends with $E < 0.01$.

# %% [markdown] lang="zh"
# **结论。** 墙就立在预测的位置。$w = 6$ 处，墙上的斜率是 $-260$ 万；而四周的中位数只有 0.09。没有哪一个学习率能同时适合两边。
#
# 梯度下降撞上这堵墙会怎样？我们从墙边八个点出发，学习率 0.1：一次原样下降，一次把梯度裁剪到长度 1。八次下降并排进行，每行一次；`scope="unit"` 对每一行分别裁剪。结束时 $E > 0.05$ 称为**迷失**（lost），$E < 0.01$ 称为**到达**（arrived）。

# %%
def descend(starts, hook_list, lr=0.1, updates=300):
    """Return the paths of several descents side by side, an array (updates + 1, runs, 2)."""
    point = mg.tensor(starts, requires_grad=True)
    opt = optim.SGD([point], lr=lr, hooks=hook_list)
    path = [point.data]
    for _ in range(updates):
        opt.zero_grad()
        loss_at(point[:, 0], point[:, 1]).sum().backward()
        opt.step()
        path.append(point.data)
    return np.array(path)


starts = [(5.1, -2.47), (4.7, -2.35), (4.8, -2.43), (4.9, -2.49),
          (4.9, -2.39), (5.0, -2.49), (5.4, -2.64), (5.1, -2.55)]
paths = {"plain": descend(starts, []),
         "clipped": descend(starts, [hooks.ClipNorm(1.0, scope="unit")])}
print("start (w, b)       plain     clipped")
for k, (w, b) in enumerate(starts):
    ends = [loss_at(*path[-1, k]).item() for path in paths.values()]
    words = ["lost" if end > 0.05 else "arrived" if end < 0.01 else "on its way" for end in ends]
    print(f"({w:.1f}, {b:.2f})   {words[0]:>9} {words[1]:>11}")
longest = {kind: np.hypot(*np.diff(path[:, 0], axis=0).T).max() for kind, path in paths.items()}
print(f"longest step from the first start: plain {longest['plain']:.0f}, "
      f"clipped {longest['clipped']:.1f}")

ws, bs = np.linspace(4.2, 5.6, 101), np.linspace(-3.0, -1.9, 101)
surface = loss_at(*np.meshgrid(ws, bs)).data
with mg.plot.styled():
    fig, ax = plt.subplots(figsize=(8, 4.8), dpi=110, layout="constrained")
mg.plot.cliff(surface, ws, bs, ax, wall=wall, title="Descent over the cliff, from (5.1, -2.47)",
              trajectories={kind: path[:, 0] for kind, path in paths.items()})
plt.show()

# %% [markdown] lang="en" slideshow={"slide_type": "fragment"}
# **What to see.** The loss from above: light is low, dark is high. Above the dashed line it falls gently towards the wall;
# below it, it is high at once. The hollow dot is the start of both runs. The orange one, without clipping, comes down the
# gentle slope and touches the wall. One single step throws it out of the picture, 278 away. There the unit is saturated,
# and no gradient brings it back. The blue one meets the same wall. No step of it is longer than rate times threshold,
# 0.1. It bounces off again and again, and goes along the wall to where the loss is lowest.
#
# Seven of eight plain runs are lost; all eight clipped runs arrive. But *one* plain run arrives, too: where a run is
# thrown to is luck. So never judge by one run.
#
# And the threshold? Move it over four powers of ten.

# %% [markdown] lang="zh"
# **看什么。** 从上方俯视损失：浅色低，深色高。虚线上方，损失朝着墙缓缓下降；虚线下方，损失陡然升高。空心圆点是两次下降共同的起点。橙线（plain）没有裁剪，它沿缓坡走下来，碰到墙，只一步就被抛出图外，飞到 278 以外。那里神经元已经饱和，再没有梯度能把它带回来。蓝线（clipped）碰上的是同一堵墙，但它每一步都不超过学习率乘阈值，即 0.1。它一次次被弹开，沿着墙一直走到损失最低的地方。
#
# 不裁剪的八次有七次迷失，裁剪的八次全部到达。但不裁剪的也有**一次**到达：会被抛到哪里，全凭运气。所以绝不能凭一次训练下判断。
#
# 阈值该取多大？让它跨过四个数量级看看。

# %% slideshow={"slide_type": "subslide"}
def over_the_cliff(log10_c, ax):
    """Draw one descent with the norm clipped at c."""
    c = 10.0 ** log10_c
    path = descend(starts[:1], [hooks.ClipNorm(c)], updates=120)[:, 0]
    mg.plot.cliff(surface, ws, bs, ax, trajectories={"_": path[:1], f"c = {c:.3g}": path},
                  colorbar=False, title="120 updates from (5.1, -2.47), clipped at c")


mg.plot.explore(over_the_cliff, log10_c=(-2, 2, 0.5), panels=3, figsize=(9, 3.4))
plt.show()

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** At $c = 0.01$ hardly anything moves: the clip has become a small learning rate. At $c = 1$ the run comes
# down. At $c = 100$ the clip lets it be thrown out. There is a window, and it has two ends.
#
# ## 2. Four ways
#
# "Clipping" means four different things. With $g$ the gradient and $c$ the threshold:
#
# | | what is done | in minigrad |
# |---|---|---|
# | by value | each element limited to $[-c, c]$ | `ClipValue(c)` |
# | by norm, per parameter | each array shortened to norm $c$ by itself | `ClipNorm(c, scope="param")` |
# | by global norm | all arrays multiplied by one number | `ClipNorm(c)` |
# | inside the backward pass | each $dL/dh_t$ shortened before it goes on to step $t-1$ | `rnn.register_step_hook(hooks.inside(ClipNorm(c)))` |
#
# Take one exploding gradient, of a tanh RNN whose recurrent matrix is twice a rotation, and do all four to it.

# %% [markdown] lang="zh"
# **结论。** $c = 0.01$ 时几乎不动：裁剪变成了一个很小的学习率。$c = 1$ 时顺利走下来。$c = 100$ 时，裁剪拦不住那一抛。可用的阈值是一个窗口，两头都有界。
#
# ## 2. 四种方式
#
# “裁剪”一词可以指四件不同的事。记 $g$ 为梯度，$c$ 为阈值：
#
# | | 做法 | minigrad 中的写法 |
# |---|---|---|
# | 按值裁剪 | 每个元素限制在 $[-c, c]$ 内 | `ClipValue(c)` |
# | 逐参数按范数裁剪 | 每个数组各自缩短到范数 $c$ | `ClipNorm(c, scope="param")` |
# | 按全局范数裁剪 | 所有数组乘以同一个数 | `ClipNorm(c)` |
# | 在反向传播内部裁剪 | 每个 $dL/dh_t$ 先缩短，再传给第 $t-1$ 步 | `rnn.register_step_hook(hooks.inside(ClipNorm(c)))` |
#
# 取一个 tanh RNN，循环矩阵是旋转矩阵的两倍，它的梯度会爆炸。对这同一个梯度，四种裁剪各做一遍。

# %%
rng = np.random.default_rng(0)
rnn = nn.RNN(1, 20, bias=False, rng=rng)
readout = nn.Linear(20, 1, bias=False, rng=rng)
nn.init.orthogonal_(rnn.weight_hh_l0, 2.0, rng)
sequence = rng.normal(size=(40, 16, 1))                     # 40 steps, a batch of 16
parameters = {"W_in": rnn.weight_ih_l0, "W_rec": rnn.weight_hh_l0, "W_out": readout.weight}


def gradients(*step_hooks):
    """Return the gradient of each parameter, and ||dL/dh_t|| for each t as it is passed on."""
    through_time = np.zeros(40)

    def watch(g, t):
        through_time[t] = g.norm().item()

    handles = [rnn.register_step_hook(fn) for fn in (*step_hooks, watch)]
    rnn.zero_grad()
    readout.zero_grad()
    nn.functional.mse_loss(readout(rnn(sequence)[1][0]), sequence.sum(axis=0)).backward()
    for handle in handles:
        handle.remove()
    return {name: p.grad.data for name, p in parameters.items()}, through_time


raw, raw_in_time = gradients()
inside, inside_in_time = gradients(hooks.inside(hooks.ClipNorm(1.0)))
clips = {"by value, 0.1": hooks.ClipValue(0.1),
         "per parameter, 1": hooks.ClipNorm(1.0, scope="param"),
         "global norm, 1": hooks.ClipNorm(1.0)}
after = {name: hooks.apply_hooks([clip], raw) for name, clip in clips.items()}
ways = {"no clip": raw, **after, "inside, 1": inside}
flat = {name: np.concatenate([g.ravel() for g in grads.values()]) for name, grads in ways.items()}
norms = {name: [np.linalg.norm(g) for g in grads.values()] for name, grads in ways.items()}
print("                       norm   cosine with g      W_in     W_rec     W_out")
for name, v in flat.items():
    cosine = v @ flat["no clip"] / np.linalg.norm(v) / np.linalg.norm(flat["no clip"])
    print(f"{name:17} {np.linalg.norm(v):9.3g} {cosine:15.2f}", *(f"{n:9.2g}" for n in norms[name]))

with mg.plot.styled():
    fig, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4), dpi=85, layout="constrained")
    colours = ("#D55E00", "#E69F00", "#009E73", "#CC79A7", "#0072B2")
    for name, marker, colour in zip(ways, "os^Dv", colours):
        left.plot(norms[name], marker + "-", label=name, markersize=8, color=colour)
    left.set(yscale="log", title="Norm of each parameter's gradient", xticks=range(3),
             xticklabels=parameters, ylim=(1e-3, 1e7))
    left.legend(ncols=2, loc="upper right", fontsize=11)
    right.semilogy(raw_in_time, color="#D55E00", label="no clip, or a clip after the backward pass")
    right.semilogy(inside_in_time, color="#0072B2", label="clipped inside, at 1")
    right.set(title="Norm of dL/dh at step t, as it is passed on", ylim=(0.1, 1e5),
              xlabel="time step t  (backward goes from right to left)")
    right.legend(loc="upper right", fontsize=11)
plt.show()

# %% [markdown] lang="en" slideshow={"slide_type": "fragment"}
# **What to see.** *Left:* the clip of the global norm (pink) moves the raw gradient (orange dots) down and keeps its shape; its
# cosine is 1. Per parameter, all three norms become 1, and the shape is lost. By value it is lost, too; and the norm is
# not 0.1 but twenty times that. *Right:* three of the four clips come after the backward pass. They change nothing of what
# happens on the way. Only the clip inside does. What it gives is another gradient, with a cosine of 0.33: what comes from
# long ago is cut again and again.
#
# What is that good for? For a gradient that *overflows* on its way. This net, $h_t = \mathrm{relu}(2 h_{t-1} - 1)$, stays at $h = 1$,
# and $dL/dh$ doubles per step; after 1100 steps back it is larger than $10^{308}$.

# %% [markdown] lang="zh"
# **看什么。** **左**：按全局范数裁剪（global norm，粉线）把原始梯度（no clip，橙色圆点）整体下移，形状不变，余弦为 1。逐参数裁剪（per parameter）把三个范数都变成 1，形状丢了。按值裁剪（by value）也改变了形状，而且范数不是 0.1，而是 0.1 的二十倍。**右**：四种裁剪有三种发生在反向传播之后，改变不了路上发生的事。只有内部裁剪（inside）能改变，而它给出的是另一个梯度（余弦只有 0.33），因为来自很久以前的部分被一次又一次截短。
#
# 那它有什么用？用在梯度半路上就**上溢**的时候。下面的网络 $h_t = \mathrm{relu}(2 h_{t-1} - 1)$ 始终停在 $h = 1$，而 $dL/dh$ 每步翻倍；往回 1100 步，就超过了 $10^{308}$。

# %%
chain = nn.RNN(1, 1, nonlinearity="relu", bias=False)


def slope_of_chain(*step_hooks):
    """Return dL/dw of h_t = relu(w h_(t-1) - 1) at w = 2, after 1100 steps."""
    chain.weight_ih_l0.data, chain.weight_hh_l0.data = [[1.0]], [[2.0]]
    chain.zero_grad()
    handles = [chain.register_step_hook(fn) for fn in step_hooks]
    with np.errstate(over="ignore", invalid="ignore"):
        chain(np.full((1100, 1), -1.0), np.ones((1, 1)))[1].sum().backward()
    for handle in handles:
        handle.remove()
    return {"w": chain.weight_hh_l0.grad.data}


overflowed = slope_of_chain()
print("as it came:              ", overflowed["w"])
print("then ClipNorm(1):        ", hooks.apply_hooks([hooks.ClipNorm(1.0)], overflowed)["w"])
print("ClipValue(15) inside:    ", slope_of_chain(hooks.inside(hooks.ClipValue(15.0)))["w"])
print("1 + 2 + 4 + 8 + 1096*15 =", 1 + 2 + 4 + 8 + 1096 * 15)

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** After an overflow a norm clip makes NaN of inf: no factor makes a number of it. The clip inside acts in
# time. (Mikolov, 2012, limited what goes through the hidden units to $[-15, 15]$.)
#
# ## 3. Choose the threshold from a trace
#
# Pascanu, Mikolov and Bengio advise: look at the average norm over many updates; thresholds from half to ten times it
# work. So make a run that is calm, at a small rate, and measure. The task: 20 symbols go by, two of them are A or B;
# say in which order they came (4 answers). `trace.advise()` takes the middle of that window.

# %% [markdown] lang="zh"
# **结论。** 上溢之后再按范数裁剪，inf 就成了 NaN：乘什么数都救不回来。内部裁剪则来得及。（Mikolov 2012 年就把流经隐藏单元的误差限制在 $[-15, 15]$ 内。）
#
# ## 3. 根据记录选阈值
#
# Pascanu、Mikolov、Bengio 的建议：看许多次更新的平均范数，阈值取它的 0.5 到 10 倍都可行。那就先用小学习率平稳地训练一次，测量范数。任务是：依次出现 20 个符号，其中两个是 A 或 B，判断两者出现的顺序（四选一）。`trace.advise()` 取这个窗口的中间值。

# %% slideshow={"slide_type": "subslide"}
task = tasks.TemporalOrder(20, batch=20)


def train(seed, lr, hook_list, updates=400):
    """Train a tanh RNN; return its share of wrong answers on new sequences, and its trace."""
    rng = np.random.default_rng(seed)
    rnn, readout = nn.RNN(task.inputs, 20, rng=rng), nn.Linear(20, task.outputs, rng=rng)
    nn.init.orthogonal_(rnn.weight_hh_l0, 0.95, rng)
    trace = mg.NormTrace()
    opt = optim.SGD([*rnn.parameters(), *readout.parameters()], lr=lr, hooks=hook_list, trace=trace)
    for _ in range(updates):
        x, y = task.sample(rng)
        opt.zero_grad()
        loss = nn.functional.cross_entropy(readout(rnn(x)[1][0]), y)
        loss.backward()
        opt.step(loss=loss)
    x, y = task.sample(np.random.default_rng(99), 500)
    return np.mean(readout(rnn(x)[1][0]).data.argmax(axis=1) != y), trace


_, calm = train(0, 0.01, [])
advice = calm.advise()
low, high = advice.window
print(f"average norm {advice.average.mean_without_spikes:.2f}, window {low:.2f} to {high:.1f}")
print(f"advised threshold: {advice.recommended:g}\n")
norms = calm.column("norm_in", stage=0)
for share in (50, 90, 99):
    print(f"{share} % of the norms are below {np.percentile(norms, share):.1f}")

# %%
print("rate 0.2, 400 updates; solved: less than 5 % wrong answers\n")
print("threshold   solved   share of steps clipped")
for c in (0.02, advice.recommended, 30.0):
    runs = [train(seed, 0.2, [hooks.ClipNorm(c)]) for seed in range(3)]
    solved = sum(wrong < 0.05 for wrong, _ in runs)
    clipped = np.mean([trace.share_clipped() for _, trace in runs])
    note = "" if low <= c <= high else "   outside the window"
    print(f"{c:9.3g} {solved:4d} of 3   {clipped:22.1f}{note}")

# %% [markdown] lang="en" slideshow={"slide_type": "fragment"}
# **Found.** The threshold that the calm run advised solves the task with every seed, at a rate twenty times as large.
# Far below the window the clip acts on every step, and the steps are too short. Far above it the clip acts on no step
# at all, and training fails as it does without. Print `advice` to see what each candidate would have done.

# %% [markdown] lang="zh"
# **结论。** 用平稳训练给出的阈值，每个种子都完成了任务，而学习率是原来的二十倍。远低于窗口时，每一步都被裁剪，步子太短；远高于窗口时，没有一步被裁剪，训练失败，和不裁剪一样。打印 `advice`，可以看到每个候选阈值会造成什么结果。

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# ## Your turn
#
# Replace `raise NotImplementedError` and run the cell below it.
#
# **Exercise 1.** By how many degrees does a clip by value turn a gradient? `g` is a vector, `c` the threshold. The
# cosine of the angle between $u$ and $v$ is $u \cdot v / (\lVert u \rVert \lVert v \rVert)$; rounding may lift it a
# little above 1. (`np.clip(g, -c, c)` limits each element; `np.degrees` makes degrees of what `np.arccos` returns.)

# %% [markdown] lang="zh"
# ## 练习
#
# 把 `raise NotImplementedError` 换成你的代码，再运行下面的单元格。
#
# **练习 1。** 按值裁剪会让梯度转过多少度？`g` 是一个向量，`c` 是阈值。$u$ 与 $v$ 夹角的余弦是 $u \cdot v / (\lVert u \rVert \lVert v \rVert)$；舍入可能使它略大于 1。（`np.clip(g, -c, c)` 限制每个元素；`np.degrees` 把 `np.arccos` 的结果换成度。）

# %% tags=["exercise"]
def answer(g, c):
    ### BEGIN SOLUTION
    clipped = np.clip(g, -c, c)
    cosine = g @ clipped / (np.linalg.norm(g) * np.linalg.norm(clipped))
    return np.degrees(np.arccos(min(cosine, 1.0)))
    ### END SOLUTION


# %% tags=["check"]
check.value_clip_angle(answer)

# %% [markdown] lang="en" tags=["solution"]
# The gradient `[100, 1]` says: go along the first axis. Clipped at 1 it becomes `[1, 1]` and says: go along the
# diagonal, 44.4 degrees away. In the end only the signs are left. Where no element is above `c`, the angle is 0.

# %% [markdown] lang="zh" tags=["solution"]
# 梯度 `[100, 1]` 的意思是：沿第一个轴走。按 1 裁剪后成了 `[1, 1]`，意思变成：沿对角线走，偏了 44.4 度。一直裁下去，最后只剩符号。没有元素超过 `c` 时，角度为 0。

# %% [markdown] lang="en"
# **Exercise 2.** You have recorded the norms of a run. Which threshold would have clipped exactly the given `share` of
# its steps? A step is clipped if its norm is *above* the threshold. Leave norms that are NaN or infinite out of the
# count: `np.isfinite` finds the others.

# %% [markdown] lang="zh"
# **练习 2。** 你记录了一次训练的范数。取多大的阈值，恰好会裁剪其中比例为 `share` 的步？范数**大于**阈值的步才被裁剪。NaN 和无穷大的范数不计在内：用 `np.isfinite` 挑出其余的。

# %% tags=["exercise"]
def answer(norms, share):
    ### BEGIN SOLUTION
    usable = norms[np.isfinite(norms)]
    return np.quantile(usable, 1 - share)
    ### END SOLUTION


# %% tags=["check"]
check.threshold_for_share(answer)

# %% [markdown] lang="en" tags=["solution"]
# A share `share` lies above the threshold, so a share `1 - share` lies below it: it is that quantile. One NaN in the
# trace would make the quantile NaN, and one inf would shift it.

# %% [markdown] lang="zh" tags=["solution"]
# 比例 `share` 在阈值之上，所以比例 `1 - share` 在阈值之下：阈值就是这个分位数。记录里只要有一个 NaN，分位数就成了 NaN；有一个 inf，分位数就会偏移。

# %% [markdown] lang="en"
# **Exercise 3.** The clip inside, by hand. In a chain of $T$ steps every state $h_t$ is 1, and
# $\partial h_t/\partial h_{t-1} = w$, $\partial h_t/\partial w = h_{t-1} = 1$. The loss is $L = h_T$. Go back from
# $t = T$ to $t = 1$. At each step first limit $dL/dh_t$ to $[-c, c]$, then add its part to $dL/dw$, then pass it on.
# Return $dL/dw$. (Section 2 had $w = 2$, $T = 1100$, $c = 15$.)

# %% [markdown] lang="zh"
# **练习 3。** 亲手实现内部裁剪。一条 $T$ 步的链，每个状态 $h_t$ 都是 1，且 $\partial h_t/\partial h_{t-1} = w$，$\partial h_t/\partial w = h_{t-1} = 1$。损失 $L = h_T$。从 $t = T$ 往回走到 $t = 1$，每一步先把 $dL/dh_t$ 限制在 $[-c, c]$ 内，再把它的贡献加到 $dL/dw$ 上，然后继续往回传。返回 $dL/dw$。（第 2 节中 $w = 2$，$T = 1100$，$c = 15$。）

# %% tags=["exercise"]
def answer(w, T, c):
    ### BEGIN SOLUTION
    slope, delta = 0.0, 1.0                 # dL/dh_T = 1
    for _ in range(T):
        delta = min(max(delta, -c), c)
        slope += delta
        delta *= w
    return slope
    ### END SOLUTION


# %% tags=["check"]
check.inside_clip(answer)

# %% [markdown] lang="en" tags=["solution"]
# The clip acts on `delta`, and what goes on is the clipped value. So `delta` never exceeds $|w|\,c$, and the sum never
# exceeds $T c$, however long the chain. To clip the sum at the end would be the clip of section 1 again.

# %% [markdown] lang="zh" tags=["solution"]
# 裁剪作用在 `delta` 上，继续往回传的也是裁剪后的值。所以无论链有多长，`delta` 都不会超过 $|w|\,c$，总和不会超过 $T c$。如果最后才裁剪总和，那就又回到第 1 节的裁剪了。
