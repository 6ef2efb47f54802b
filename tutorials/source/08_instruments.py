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
# # 08 · Reading the instruments
#
# **Goal: tell from its instruments what is wrong with a training run, without seeing its settings.**
#
# You need tutorials 05 to 07. Install once, in the folder of the project:
#
#     python -m pip install -e ".[notebook]"
#
# All of it takes about ten seconds. In the last exercise you are the doctor: six runs, sealed.

# %% [markdown] lang="zh"
# # 08 · 读懂仪表
#
# **目标：不看任何设置，只凭仪表就能说出一次训练出了什么毛病。**
#
# 需要先学教程 05 到 07。首次使用时，请在项目文件夹中安装：
#
#     python -m pip install -e ".[notebook]"
#
# 全部运行大约需要十秒。最后一道练习里你来当医生：六次训练，病历密封。

# %% tags=["setup"]
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np

import minigrad as mg
from minigrad import check, hooks, nn, optim, tasks

digits, unseen = tasks.digits("train"), tasks.digits("test")
pixels, unseen_pixels = (2 * d.x.reshape(len(d), -1) - 1 for d in (digits, unseen))  # from -1 to 1
loss_of = nn.functional.cross_entropy


def make_net(seed, act=nn.Tanh, gain=1.33, bias=0.0, depth=12, width=32):
    """Return a net for 64 pixels and 10 classes."""
    rng = np.random.default_rng(seed)
    modules = []
    for k in range(depth):
        layer = nn.Linear(width if k else 64, width, rng=rng)
        nn.init.normal_(layer.weight, std=gain / layer.in_features ** 0.5, rng=rng)
        nn.init.constant_(layer.bias, bias)
        modules += [layer, act()]
    return nn.Sequential(*modules, nn.Linear(width, 10, rng=rng))


def train(seed=0, lr=0.1, clip=5.0, scale=1.0, updates=150, **options):
    """Train a net on digits; return its trace, mg.flow before, and the share right after."""
    net, rng, trace = make_net(seed, **options), np.random.default_rng(seed), mg.NormTrace()
    opt = optim.SGD(net.parameters(), lr=lr, hooks=[hooks.ClipNorm(clip)], trace=trace)
    start = mg.flow(net, loss_of, (scale * pixels[:64], digits.y[:64]), optimizer=opt)
    for _ in range(updates):
        chosen = rng.integers(len(pixels), size=64)
        opt.zero_grad()
        loss = loss_of(net(scale * pixels[chosen]), digits.y[chosen])
        loss.backward()
        opt.step(loss=loss)
    with mg.no_grad():
        right = (net(scale * unseen_pixels).data.argmax(axis=1) == unseen.y).mean()
    return SimpleNamespace(trace=trace, start=start, right=right)

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# ## 1. How far does a step go?
#
# A gradient of 3: is that much? It depends on the rate, on the hooks, and on how long the weights are. One number has
# all of it, the *ratio of update to data*:
#
# $$r = \frac{\lVert p_{\text{after}} - p_{\text{before}} \rVert}{\lVert p_{\text{before}} \rVert}$$
#
# A rule of thumb says $r \approx 10^{-3}$ (Karpathy, 2015). A trace of minigrad records $r$ with every update. Nine
# rates, two seeds:

# %% [markdown] lang="zh"
# ## 1. 一步走多远？
#
# 梯度长 3，算大吗？这取决于学习率、钩子，还有权重本身有多长。有一个数把这些都算进去了，即**更新量与参数之比**（图中的 update : data）：
#
# $$r = \frac{\lVert p_{\text{更新后}} - p_{\text{更新前}} \rVert}{\lVert p_{\text{更新前}} \rVert}$$
#
# 有一条经验法则说 $r \approx 10^{-3}$（Karpathy，2015）。minigrad 的记录（trace）里有每次更新的 $r$。取九种学习率，各两个种子：

# %% slideshow={"slide_type": "fragment"}
rates = (1e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
found = {lr: [train(seed, lr, clip=1e3) for seed in range(2)] for lr in rates}
with mg.plot.styled():
    _, ax = plt.subplots(figsize=(6.2, 2.8), dpi=110, layout="constrained")
    for seed in range(2):
        typical = [np.median(found[lr][seed].trace.ratios()[:30]) for lr in rates]
        right = [found[lr][seed].right for lr in rates]
        ax.semilogx(typical, right, "o-", ms=5, label=f"seed {seed}")
    ax.axvline(1e-3, color="k", ls="--", label="rule of thumb")
    ax.axhline(0.1, color="k", ls=":", label="guessing")
    ax.set(xlabel="update : data, median of the first 30 updates", ylabel="unseen digits right",
           ylim=(0, 1), title="150 updates at nine rates")
    ax.legend(loc="upper left", ncols=2, fontsize=9)
plt.show()
print("    rate   update : data      share right")
for lr in rates:
    ratios = [np.median(run.trace.ratios()[:30]) for run in found[lr]]
    right = "  ".join(f"{run.right:.1f}" for run in found[lr])
    print(f"{lr:8g}   {ratios[0]:.0e}  {ratios[1]:.0e}   {right}")

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** The ratio goes with the rate, and says more: far below $10^{-3}$ nothing is learned yet. The best runs are
# at about $10^{-2}$, ten times the rule of thumb, in this net and in so short a run. And a few times above that all is
# lost. So $10^{-3}$ is a safe guess, and $10^{-6}$ or $10^{-1}$ a symptom.
#
# ## 2. Units that do not answer
#
# A unit passes on its slope. Two ways to have none:
#
# * *saturated*: a tanh far from 0. Its slope is $1 - h^2$; `mg.flow` counts where that is below a tenth.
# * *dead*: a ReLU that is 0 for every input of the batch. Its slope is exactly 0 for all of them.
#
# Feed the tanh net pixels that somebody forgot to scale, and start the ReLU net with biases below 0:

# %% [markdown] lang="zh"
# **结论。** 这个比值随学习率变化，但能说明更多问题：远低于 $10^{-3}$ 时，还什么都没学到。最好的几次在 $10^{-2}$ 左右，是经验法则的十倍（就这个网络、这么短的训练而言）。再往上几倍，就全毁了。所以，$10^{-3}$ 是稳妥的猜测，而 $10^{-6}$ 或 $10^{-1}$ 就是症状。
#
# ## 2. 没有反应的神经元
#
# 神经元往回传的是自己的斜率。斜率等于没有，有两种情况：
#
# * **饱和**：tanh 离 0 太远。斜率是 $1 - h^2$；`mg.flow` 统计斜率不到十分之一的比例。
# * **死亡**：ReLU 对批量中的每个输入都输出 0，斜率也就一律恰好是 0。
#
# 给 tanh 网络喂一批忘了缩放的像素，让 ReLU 网络从小于 0 的偏置开始：

# %% slideshow={"slide_type": "fragment"}
def hidden_rows(run):
    """Return the rows of the hidden layers, as mg.flow saw them before the first update."""
    return run.start.series[0].rows[:-1]


print("tanh                      saturated: layer 1   layer 2   delta, first / last   |dL/dW_1|")
for scale in (1, 5, 50):
    rows = hidden_rows(train(scale=scale, updates=0))
    print(f"pixels times {scale:2d}              "
          f"{rows[0].saturated:11.0%}   {rows[1].saturated:7.0%}   "
          f"{rows[0].delta / rows[-1].delta:19.2g}   {rows[0].gradient:9.2g}")
print("\nReLU                          dead: layer 1   layer 12  delta, first / last   |dL/dW_1|")
for bias in (0.0, -0.3, -0.7):
    rows = hidden_rows(train(act=nn.ReLU, gain=2 ** 0.5, bias=bias, updates=0))
    ratio = rows[0].delta / rows[-1].delta if rows[-1].delta else 0
    print(f"biases {bias:4.1f}                   {rows[0].dead:11.0%}   {rows[-1].dead:7.0%}   "
          f"{ratio:19.2g}   {rows[0].gradient:9.2g}")

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** Pixels that are 50 times too large saturate the first layer, and hardly the second: a tanh behind it gets
# numbers from -1 to 1 again. $\delta$ in the hidden layers does not notice, so look at the shares as well. Dead units
# are another matter: a single layer that is dead altogether makes $\delta$ and the weight gradients before it exactly 0.
# Not small: 0. No rate helps.
#
# ## 3. The spectrum behind the average
#
# $\lVert\delta_1\rVert / \lVert\delta_{12}\rVert$ is one number. Between the two stands a whole matrix, the Jacobian:
#
# $$\delta_1 = J^\top \delta_{12}, \qquad J = \frac{\partial h_{12}}{\partial h_1}$$
#
# Its singular values say how much each direction is stretched (tutorial 04). For a random direction the factor is their
# root mean square. One backward pass per unit gives the matrix:

# %% [markdown] lang="zh"
# **结论。** 像素放大 50 倍，第一层就饱和了，第二层却影响不大：后面的 tanh 收到的又是 -1 到 1 之间的数。隐藏层的 $\delta$ 察觉不到，所以饱和比例也要看。死亡神经元则是另一回事：只要有一层全部死亡，它之前的 $\delta$ 和权重梯度就恰好是 0。不是很小，而是 0，调学习率也没有用。
#
# ## 3. 平均值背后的谱
#
# $\lVert\delta_1\rVert / \lVert\delta_{12}\rVert$ 只是一个数，而两者之间隔着整整一个矩阵，即雅可比矩阵：
#
# $$\delta_1 = J^\top \delta_{12}, \qquad J = \frac{\partial h_{12}}{\partial h_1}$$
#
# 它的奇异值说明每个方向被拉伸多少（教程 04）。对随机方向，拉伸的倍数就是奇异值的均方根。对每个神经元做一次反向传播，就得到这个矩阵：

# %% slideshow={"slide_type": "fragment"}
def jacobian(net, x):
    """Return the matrix dh_12/dh_1 for one input; its rows are the gradients of h_12's units."""
    h = mg.tensor(net[:2](x).data, requires_grad=True)
    out = net[2:-1](h)
    return np.array([mg.grad(out, h, gradient=row, retain_graph=True).data
                     for row in np.eye(len(h))])


nets = {"orthogonal, gain 1.33": make_net(0), "gain 1.33": make_net(0),
        "gain 4": make_net(0, gain=4.0), "gain 0.6": make_net(0, gain=0.6),
        "dead ReLU": make_net(0, nn.ReLU, 2 ** 0.5, -0.7)}
for k in range(2, 24, 2):
    nn.init.orthogonal_(nets["orthogonal, gain 1.33"][k].weight, 1.33, np.random.default_rng(k))
with mg.plot.styled():
    _, ax = plt.subplots(figsize=(6.2, 2.8), dpi=110, layout="constrained")
    print("                           root mean square   largest   middle   "
          "directions shrunk 100 times")
    for name, net in nets.items():
        values = np.linalg.svd(jacobian(net, pixels[0]), compute_uv=False)
        print(f"{name:>22}   {np.sqrt((values ** 2).mean()):18.2g}   {values[0]:7.1g}   "
              f"{values[15]:6.0e}   {(values < 0.01).sum():20d} of 32")
        if values[0] > 0:
            ax.semilogy(range(1, 33), values, "o-", ms=3, label=name)
    ax.axhline(1, color="k", ls="--", lw=1)
    ax.set(title="Spectrum of $dh_{12}/dh_1$", xlabel="rank", ylabel="singular value",
           ylim=(1e-12, 1e4))
    ax.legend(loc="lower left", fontsize=9)
plt.show()

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** At a gain of 1.33 the root mean square is about 1: on average $\delta$ is level. But the middle direction is
# shrunk about 200 times; a few directions carry it all. Orthogonal matrices keep most of them. (In tutorial 07 they
# learned better than Gaussian ones of the same gain.) And a gain of 4 explodes *and* vanishes: the largest value is in
# the hundreds, and 25 of 32 directions shrink more than 100 times. An average hides that; a spectrum does not.
#
# ## 4. The clinic
#
# Eight runs, one of them healthy, each with the same five instruments.

# %% [markdown] lang="zh"
# **结论。** 增益 1.33 时，均方根约为 1：平均而言 $\delta$ 是平的。但居中的那个方向被缩小了约二百倍，全靠少数几个方向撑着。正交矩阵保住了大多数方向。（教程 07 里，增益相同，正交矩阵就比高斯矩阵学得好。）增益为 4 时，梯度既爆炸**又**消失：最大的奇异值有几百，32 个方向中却有 25 个缩小了一百倍以上。平均值掩盖了这一点，谱不会。
#
# ## 4. 诊室
#
# 八次训练，其中一次健康（healthy），都接着同样的五块仪表。

# %% slideshow={"slide_type": "slide"}
def show(runs):
    """Draw a row of instruments for each run."""
    options = {"font.size": 12, "axes.titlesize": 13, "axes.grid": False}
    with mg.plot.styled(), plt.rc_context(options):
        _, axes = plt.subplots(len(runs), 5, figsize=(9.5, 1.1 * len(runs) + 0.9), dpi=95,
                               sharex="col", layout="constrained")
        titles = ("loss", "gradient norm\nbefore, after clip", "update : data",
                  "delta (solid)\ndL/dW (dotted)", "saturated (dots)\ndead (triangles)")
        for ax, title in zip(axes[0], titles):
            ax.set_title(title)
        for (name, run), (loss, norm, ratio, layers, shares) in zip(runs.items(), axes):
            rows, index = hidden_rows(run), np.arange(1, 13)
            updates = np.arange(0, len(run.trace.ratios()), 3)      # every third is enough to see
            loss.plot(updates, run.trace.column("loss", stage=0)[::3], "k", lw=1)
            for column, colour in (("norm_in", "#D55E00"), ("norm_out", "#0072B2")):
                norms = run.trace.column(column, hook="ClipNorm")
                norm.semilogy(updates, norms[::3], color=colour, lw=1)
            ratio.semilogy(updates, run.trace.ratios()[::3], "k", lw=1)
            ratio.axhline(1e-3, color="k", ls="--", lw=0.8)
            for column, style in (("delta", "o-"), ("gradient", "s:")):
                values = np.array([getattr(row, column) for row in rows])
                zero = values == 0
                layers.semilogy(index[~zero], values[~zero], style, ms=2.5, lw=1)
                layers.plot(index[zero], np.full(zero.sum(), 3e-5), "kx", ms=4)     # exactly 0
            for column in ("saturated", "dead"):
                values = [getattr(row, column) for row in rows]
                values = [np.nan if value is None else value for value in values]
                shares.plot(index, values, "^-" if column == "dead" else "o-", ms=2.5, lw=1)
            loss.set(ylabel=name, ylim=(0, max(3, min(40, loss.get_ylim()[1]))))
            loss.yaxis.label.set(rotation=0, ha="right", va="center", fontsize=12)
            norm.set(ylim=(1e-4, 1e5), yticks=(1e-3, 1e3))
            ratio.set(ylim=(1e-7, 10), yticks=(1e-6, 1e0))
            layers.set(ylim=(1e-5, 1e3), yticks=(1e-4, 1e2))
            shares.set(ylim=(-0.05, 1.05))
        for ax in axes[:-1, 1:].flat:                       # the same limits all the way down
            ax.tick_params(labelleft=False)
        for ax, label in zip(axes[-1], ("update", "update", "update", "layer", "layer")):
            ax.set_xlabel(label, fontsize=12)
    plt.show()


clinic = {
    "healthy": train(),
    "rate\ntoo high": train(lr=2.0, clip=1e3),
    "rate\ntoo low": train(lr=1e-4),
    "clip threshold\ntoo low": train(clip=1e-3),
    "vanishing:\ngain too small": train(gain=0.6),
    "exploding:\ngain too large": train(gain=4.0),
    "saturated:\ninputs too large": train(scale=50, lr=0.05),
    "dead units": train(act=nn.ReLU, gain=2 ** 0.5, bias=-0.7, lr=0.05),
}
show(clinic)

# %% [markdown] lang="en" slideshow={"slide_type": "fragment"}
# **What to see.** Read a row from left to right; layer 1 is next to the pixels; a cross is exactly 0; layers are shown
# as they were before the first update. Four of the eight losses lie flat and look alike: the loss tells *that* something
# is wrong, hardly ever *what*.
#
# * *Rate too low* and *clip threshold too low* have the same flat ratio far below the dashed line. The second column
#   tells them apart: blue far below orange is a clip that cuts every step.
# * *Vanishing:* blue falls towards layer 1. The dotted weight gradients lie level, and would have hidden it.
# * *Exploding:* both rise towards layer 1; and more than half of every layer is saturated.
# * *Saturated inputs:* layer 1 alone. The net learns, but less well.
# * *Dead:* the shares go to 1, and delta is a row of crosses.
# * *Rate too high:* all is well at the start. Then the ratio stands at a tenth or more, and the loss goes up.
#
# The same as numbers:

# %% [markdown] lang="zh"
# **看什么。** 每行从左往右读，五列依次是：损失、裁剪前后的梯度范数（橙、蓝）、更新量与参数之比、$\delta$（实线）与权重梯度（点线）、饱和（圆点）与死亡（三角）的比例。第 1 层紧挨着像素；叉号表示恰好为 0；各层显示的是第一次更新之前的状态。八条损失曲线有四条平躺着，看上去都一样：损失能告诉你**有**毛病，却几乎从不告诉你是**什么**毛病。
#
# * **学习率太小**（rate too low）和**裁剪阈值太小**（clip threshold too low）：比值同样平坦，都远低于虚线。第二列把两者分开：蓝线远在橙线之下，说明每一步都被裁剪。
# * **梯度消失**（vanishing）：第四列的蓝线朝第 1 层下降。点线表示的权重梯度却是平的，只看它就会漏诊。
# * **梯度爆炸**（exploding）：两条线都朝第 1 层上升，而且每一层都有一半以上饱和。
# * **输入过大导致饱和**（saturated）：只有第 1 层饱和。网络在学，但学得差些。
# * **死亡神经元**（dead units）：比例升到 1，$\delta$ 成了一排叉号。
# * **学习率太大**（rate too high）：起步时一切正常，随后比值停在十分之一以上，损失上升。
#
# 同样的内容，用数字表示：

# %%
def measure(run):
    """Return six numbers of a run: what a doctor looks at first."""
    rows, ratios = hidden_rows(run), run.trace.ratios()
    return {
        "delta 1/12": rows[0].delta / rows[-1].delta if rows[-1].delta else 0.0,
        "saturated 1": rows[0].saturated or 0.0,
        "most dead": max(row.dead or 0.0 for row in rows),
        "coefficient": np.median(run.trace.column("coefficient", hook="ClipNorm")),
        "update:data": np.median(ratios),
        "at most": ratios.max(),
    }


print(" " * 27 + "".join(f"{name:>12}" for name in measure(clinic["healthy"])) + "  right")
for name, run in clinic.items():
    numbers = "".join(f"{value:12.1g}" for value in measure(run).values())
    print(f"{name.replace(chr(10), ' '):27}{numbers}  {run.right:5.1f}")

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** Each sickness has one number that is far off, most by a factor of ten or more, and so can be told. Which one
# comes first matters: a dead net and a vanishing one both have a small ratio of updates, as little gradient arrives.
# Look at the layers before you look at the rate.
#
# ## 5. Six sealed runs
#
# Here are six trainings of such nets, made by `check.sealed_runs()`. Some have ReLU, some tanh; all have a `ClipNorm`.
# What was done to them is sealed, and not every sickness is among them. Each has `trace`, `start` and `right`, as those
# above.

# %% [markdown] lang="zh"
# **结论。** 每种病都有一个数明显异常，多数相差十倍以上，因此可以分辨。先看哪一个也有讲究：死亡的网络和梯度消失的网络，更新量与参数之比都很小，因为传到的梯度很少。所以，先看各层，再看学习率。
#
# ## 5. 六份密封的病历
#
# 下面是 `check.sealed_runs()` 训练的六个同类网络。有的用 ReLU，有的用 tanh，全都带有 `ClipNorm`。各自动过什么手脚，密封不公开；也不是每种病都在其中。每次训练都有 `trace`、`start` 和 `right`，与上面的一样。

# %% slideshow={"slide_type": "slide"}
sealed = check.sealed_runs()
show(sealed)
print("run" + "".join(f"{name:>13}" for name in measure(sealed["A"])) + "   right")
for name, run in sealed.items():
    numbers = "".join(f"{value:13.1g}" for value in measure(run).values())
    print(f"{name:3}{numbers}   {run.right:5.1f}")

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# ## Your turn
#
# **Exercise 1.** Write the first instrument. `before` and `after` are lists of arrays: all parameters before an update,
# and after it. Return the ratio of update to data of all of them together.

# %% [markdown] lang="zh"
# ## 练习
#
# **练习 1。** 自己写第一块仪表。`before` 和 `after` 是数组列表：一次更新前后的全部参数。返回全部参数合在一起的更新量与参数之比。

# %% tags=["exercise"]
def answer(before, after):
    ### BEGIN SOLUTION
    update = np.concatenate([(b - a).ravel() for a, b in zip(before, after)])
    data = np.concatenate([a.ravel() for a in before])
    return np.linalg.norm(update) / np.linalg.norm(data)
    ### END SOLUTION


# %% tags=["check"]
check.update_to_data(answer)

# %% [markdown] lang="en" tags=["solution"]
# One norm over all arrays of the update, one over all arrays of the data. A mean of one ratio per array is something
# else: a bias that starts at 0 would make it infinite.

# %% [markdown] lang="zh"
# 更新量的所有数组合起来求一个范数，参数的所有数组合起来也求一个范数。先对每个数组求比值再平均，是另一回事：从 0 开始的偏置会使它变成无穷大。

# %% [markdown] lang="en"
# **Exercise 2.** `h` holds the outputs of a ReLU layer, of shape (inputs in the batch, units). Return the share of its
# units that are dead: 0 for every input of the batch.

# %% [markdown] lang="zh"
# **练习 2。** `h` 是一个 ReLU 层的输出，形状为（批量大小，神经元数）。返回死亡神经元的比例，即对批量中每个输入都输出 0 的神经元所占的比例。

# %% tags=["exercise"]
def answer(h):
    ### BEGIN SOLUTION
    return (h == 0).all(axis=0).mean()
    ### END SOLUTION


# %% tags=["check"]
check.dead_share(answer)

# %% [markdown] lang="en" tags=["solution"]
# `axis=0` goes down the inputs, so `all` asks of each unit whether it is 0 for all of them. In a healthy ReLU layer half
# of the *entries* are 0, and hardly a unit is dead. With a small batch the share comes out too large: a unit that is
# silent for 64 inputs may answer the 65th.

# %% [markdown] lang="zh"
# `axis=0` 沿着输入这一维走，所以 `all` 是在问每个神经元：对所有输入是否都输出 0。健康的 ReLU 层里，一半的**元素**是 0，却几乎没有死亡神经元。批量小时，这个比例会偏大：对 64 个输入都沉默的神经元，也许会对第 65 个作出反应。

# %% [markdown] lang="en"
# **Exercise 3.** Diagnose the sealed runs. `answer(run)` returns, for each of the runs in `sealed`, one of
#
#     "healthy"                     "dead units"
#     "rate too high"               "saturated: inputs too large"
#     "rate too low"                "vanishing: gain too small"
#     "clip threshold too low"      "exploding: gain too large"
#
# You may write rules, or look at the figure and answer by `run.name`. Rules are better: they work for the next patient
# as well. `run.start.series[0].rows` are the layers, the last of them the output layer; `run.trace.ratios()` and
# `run.trace.column("coefficient", hook="ClipNorm")` have a number per update.

# %% [markdown] lang="zh"
# **练习 3。** 给密封的训练下诊断。对 `sealed` 中的每次训练，`answer(run)` 返回下列之一：
#
#     "healthy"                     "dead units"
#     "rate too high"               "saturated: inputs too large"
#     "rate too low"                "vanishing: gain too small"
#     "clip threshold too low"      "exploding: gain too large"
#
# 可以写规则，也可以看图，按 `run.name` 作答。写规则更好：对下一位病人也管用。`run.start.series[0].rows` 是各层，最后一行是输出层；`run.trace.ratios()` 和 `run.trace.column("coefficient", hook="ClipNorm")` 每次更新有一个数。

# %% tags=["exercise"]
def answer(run):
    ### BEGIN SOLUTION
    rows = run.start.series[0].rows[:-1]
    ratios = run.trace.ratios()
    if max(row.dead or 0 for row in rows) == 1:
        return "dead units"
    if rows[0].delta < rows[-1].delta / 30:
        return "vanishing: gain too small"
    if rows[0].delta > rows[-1].delta * 10:
        return "exploding: gain too large"
    if (rows[0].saturated or 0) > 0.9:
        return "saturated: inputs too large"
    if np.median(run.trace.column("coefficient", hook="ClipNorm")) < 0.01:
        return "clip threshold too low"
    if np.median(ratios) < 1e-4:
        return "rate too low"
    return "rate too high" if ratios.max() > 0.1 else "healthy"
    ### END SOLUTION


# %% tags=["check"]
check.sealed_diagnosis(answer)

# %% [markdown] lang="en" tags=["solution"]
# The order is that of causes. First the layers before training (dead, vanishing, exploding, saturated): what is broken
# there spoils every number after it; an exploding net, say, is clipped at every step too, and its clip is not to blame.
# Then the clip, then the rate: a clip that cuts every step makes the ratio of updates small, so it must be asked first.
# *Healthy* is what is left when every instrument has been asked.
#
# The thresholds stand in the wide gaps of the table in section 4. For other nets they will be elsewhere: measure a
# healthy run first.

# %% [markdown] lang="zh"
# 判断的次序就是因果的次序。先看训练之前的各层（死亡、消失、爆炸、饱和）：那里坏了，后面的每个数都会受牵连；例如梯度爆炸的网络几乎步步被裁剪，可毛病不在裁剪。然后看裁剪，再看学习率：步步都裁剪会使更新量与参数之比变小，所以要先问裁剪。所有仪表都问过一遍，剩下的才是**健康**（healthy）。
#
# 阈值取在第 4 节表格里那些宽阔的空档中。换一种网络，阈值也会不同：先测一次健康的训练。
