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
# # 11 · Write your own hook
#
# **Goal: write a gradient hook of your own, one that remembers, and know what it may answer.** In the end you write the
# clip of a paper: adaptive gradient clipping.
#
# You know the built-in clips (tutorial 06) and `Accumulate` (tutorial 09). Install once, in the folder of the project:
#
#     python -m pip install -e ".[notebook]"
#
# All of it takes about five seconds.

# %% [markdown] lang="zh"
# # 11 · 自己写一个钩子
#
# **目标：写出自己的梯度钩子，让它有记忆，并弄清它可以返回什么。** 最后你将实现一篇论文里的裁剪方法：自适应梯度裁剪。
#
# 你已经认识内置的几种裁剪（教程 06）和 `Accumulate`（教程 09）。首次使用时，请在项目文件夹中安装：
#
#     python -m pip install -e ".[notebook]"
#
# 全部运行大约需要五秒。

# %% tags=["setup"]
import matplotlib.pyplot as plt
import numpy as np

import minigrad as mg
from minigrad import check, hooks, nn, optim, tasks

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# ## 1. A function of two arguments
#
# A hook is any function `hook(grads, ctx)` that returns a dict like `grads`.
#
# * `grads`: a dict, name of a parameter → array. The value is **None** where no gradient came: no path leads from the
#   loss to that parameter. The arrays cannot be written; a hook returns new ones.
# * `ctx` knows the rest: `ctx.norm` (of all that arrives here), `ctx.step` (updates made), `ctx.micro_step` (calls
#   made), `ctx.lr`, `ctx.params` (a dict of the parameters' arrays).
#
# Below is a net with a parameter that the loss does not use. The first hook forgets the None, the second writes into
# what it was given, the third is right.

# %% [markdown] lang="zh"
# ## 1. 一个有两个参数的函数
#
# 任何函数 `hook(grads, ctx)`，只要返回一个与 `grads` 结构相同的字典，就可以当钩子。
#
# * `grads`：字典，参数名 → 数组。没有梯度到达的参数，值是 **None**：从损失出发，没有路径通到这里。这些数组不可写，钩子要返回新数组。
# * 其余的由 `ctx` 提供：`ctx.norm`（到达此处的梯度的总范数）、`ctx.step`（已完成的更新次数）、`ctx.micro_step`（已调用的次数）、`ctx.lr`、`ctx.params`（各参数数组的字典）。
#
# 下面的例子里，有一个参数没有被损失用到。第一个钩子忘了 None，第二个改写了收到的数组，第三个才对。

# %%
used, unused = mg.tensor([3.0, 4.0], requires_grad=True), mg.tensor([1.0], requires_grad=True)


def forgets_none(grads, ctx):
    return {name: 0.5 * g for name, g in grads.items()}


def in_place(grads, ctx):
    grads["used"] *= 0.5
    return grads


def halve(grads, ctx):
    return {name: g if g is None else 0.5 * g for name, g in grads.items()}


(0.5 * used ** 2).sum().backward()                      # the gradient is [3, 4]
for hook in (forgets_none, in_place, halve):
    opt = optim.SGD({"used": used, "unused": unused}, lr=0.1, hooks=[hook])
    try:
        report = opt.step()
    except Exception as error:
        print(f"{hook.__name__}: {type(error).__name__}: {str(error)[:77]} ...\n")
    else:
        print(f"{hook.__name__}: {report}")
print("\nwhat backward left is untouched:", used.grad.tolist())

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** A wrong hook is refused, and nothing has changed. The report shows each stage: norm in, norm out, the factor
# between them, and the cosine of the angle.
#
# ## 2. Two other answers
#
# `hooks.SKIP` means: drop this gradient. `hooks.HOLD` means: no update yet (what arrived is kept by the hook, as
# `Accumulate` does). Neither counts as an update, so schedules wait. `.because(...)` gives a reason.

# %% [markdown] lang="zh"
# **结论。** 写错的钩子会被拒绝，什么都不会改动。报告列出每一个阶段：进来的范数、出去的范数、两者之比，以及夹角的余弦。
#
# ## 2. 另外两种回答
#
# `hooks.SKIP` 表示丢弃这个梯度。`hooks.HOLD` 表示暂不更新（收到的梯度由钩子自己保存，`Accumulate` 就是这样做的）。两者都不算一次更新，学习率调度也不会前进。`.because(...)` 可以附上理由。

# %%
def skip_long(grads, ctx):
    if ctx.norm > 10:
        return hooks.SKIP.because(f"the norm is {ctx.norm:g}")
    return grads


w = mg.tensor([0.0], requires_grad=True)
opt = optim.SGD([w], lr=0.1, hooks=[skip_long])
for g in (1.0, 50.0, 2.0):
    w.grad = [g]
    report = opt.step()
    print(f"gradient {g:4g}: {report.status}  w = {w.item():5.2f}  updates: {opt.updates}  "
          f"{report.reason}")

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** The skipped gradient moved nothing and counted for nothing.
#
# ## 3. A hook that remembers
#
# Tutorial 06 chose a threshold from a trace. Let a hook do it while it runs: keep the last 25 norms, and clip at twice
# their *median*. One huge norm hardly moves a median. (It would move a mean.)
#
# A hook with a memory derives from `hooks.Stateful` and says in `remembers` what it remembers, and with which value it
# begins. `ctx.note(threshold=c)` puts the threshold into the trace.
#
# We train on digits, as in tutorial 09. In every tenth batch all pixels are 100 times too large.

# %% [markdown] lang="zh"
# **结论。** 被跳过的梯度没有移动任何参数，也没有被计数。
#
# ## 3. 有记忆的钩子
#
# 教程 06 根据记录选阈值。现在让钩子边训练边选：记住最近 25 个范数，以其**中位数**的两倍为阈值裁剪。一个巨大的范数几乎不影响中位数（却会影响平均值）。
#
# 有记忆的钩子继承 `hooks.Stateful`，在 `remembers` 里写明记什么、初值是多少。`ctx.note(threshold=c)` 把阈值写进记录。
#
# 像教程 09 那样用手写数字训练，每十个批量里有一个，像素全部放大了 100 倍。

# %% slideshow={"slide_type": "subslide"}
class MedianClip(hooks.Stateful):
    """Clip the norm at some multiple of the median of the last 25 norms."""

    remembers = {"norms": []}

    def __init__(self, factor=2.0):
        self.factor = factor

    def __call__(self, grads, ctx):
        c = self.factor * np.median(self.norms) if len(self.norms) >= 5 else np.inf
        self.norms = [*self.norms, ctx.norm][-25:]
        ctx.note(threshold=float(c))
        if not ctx.norm > c:
            return grads
        return {name: g if g is None else g * (c / ctx.norm) for name, g in grads.items()}


digits, test = tasks.digits("train"), tasks.digits("test")


def train(seed, hook_list):
    """Train for one epoch; return the share of test digits that are right, and the trace."""
    rng = np.random.default_rng(seed)
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 32, rng=rng), nn.ReLU(),
                        nn.Linear(32, 10, rng=rng))
    order, trace = rng.permutation(len(digits.x)), mg.NormTrace()
    opt = optim.SGD(net.parameters(), lr=0.2, hooks=hook_list, trace=trace)
    for count, start in enumerate(range(0, len(order) - 15, 16)):
        x, y = digits.x[order[start:start + 16]], digits.y[order[start:start + 16]]
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(100 * x if count % 10 == 9 else x), y)
        loss.backward()
        opt.step(loss=loss)
    return np.mean(net(test.x).data.argmax(axis=1) == test.y), trace


plain = [train(seed, []) for seed in range(3)]
clipped = [train(seed, [MedianClip()]) for seed in range(3)]
for name, runs in (("no hook", plain), ("MedianClip", clipped)):
    well = sum(right > 0.6 for right, _ in runs)
    print(f"{name:10} more than 60 % right: {well} of {len(runs)} seeds")

lanes = mg.plot.Lanes(*[runs[0][1].column("norm_in", stage=0) for runs in (plain, clipped)])
with mg.plot.styled():
    fig, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), dpi=80, layout="constrained")
mg.plot.norms(plain[0][1], left, lanes=lanes, title="No hook, seed 0")
mg.plot.norms(clipped[0][1], right, lanes=lanes, title="MedianClip, seed 0")
plt.show()

# %% [markdown] lang="en" slideshow={"slide_type": "fragment"}
# **What to see.** *Left:* the faulty batches stand out, up to a norm of almost 500. In the end the line lies below 1.
# That is no success: the net is broken, and no seed learns. *Right:* the same batches come in (orange), and leave shortened
# (blue). The dotted threshold was set by nobody. It follows the norms of the good batches, and nearly all of these
# pass untouched. All three seeds learn.

# %% [markdown] lang="zh"
# **看什么。** **左**：有故障的批量格外突出，范数最高将近 500。最后曲线降到 1 以下，那并不是成功：网络已经坏了，没有一个种子学会。**右**：同样的批量进来（橙线），缩短之后出去（蓝线）。点线是阈值，没有人设定，它自己跟着正常批量的范数走，正常批量几乎都原样通过。三个种子全部学会。

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# ## 4. Why `Stateful`?
#
# A plain class with a list would do the same, until something goes wrong. Let a NaN arrive, and `NonFinite("raise")`
# to the right of the hook raise an error. You catch it, and go on. What do the two remember?

# %% [markdown] lang="zh"
# ## 4. 为什么要用 `Stateful`？
#
# 平时，普通的类加一个列表也能做到；一旦出错，就不行了。假设来了一个 NaN，钩子右边的 `NonFinite("raise")` 抛出错误。你捕获它，继续训练。这时两种钩子各记住了什么？

# %% slideshow={"slide_type": "fragment"}
class Forgetful:
    """The same clip without Stateful."""

    def __init__(self):
        self.norms, self.factor = [], 2.0

    __call__ = MedianClip.__call__


for hook in (Forgetful(), MedianClip()):
    w = mg.tensor([0.0], requires_grad=True)
    opt = optim.SGD([w], lr=0.1, hooks=[hook, hooks.NonFinite("raise")])
    for g in (1.0, 1.0, 1.0, 1.0, 1.0, np.nan, 1000.0):
        w.grad = [g]
        try:
            report = opt.step()
        except FloatingPointError:
            pass
    passed = report.stages[1].norm_out
    print(f"{type(hook).__name__:10} remembers {hook.norms}; of 1000 it let through {passed:g}")

saved = opt.state_dict()                                # the optimizer, with all its hooks
again = optim.SGD([w], lr=0.1, hooks=[MedianClip(), hooks.NonFinite("raise")])
again.load_state_dict(saved)
print("loaded into another optimizer:", again.hooks[0].norms)

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** The plain class has kept the NaN. The median of its list is NaN, no norm is greater than NaN, and it will
# not clip again while that is in its memory. The `Stateful` hook was given back what it had before the step that
# failed. It is also saved and loaded with its optimizer.
#
# ## 5. Other places
#
# | place | how | is given |
# |---|---|---|
# | before the update | `optim.SGD(..., hooks=[hook])` | gradients |
# | on the update | `optim.SGD(..., update_hooks=[hook])` | what is about to be added to each parameter |
# | inside the backward pass | `h.register_hook(fn)` | dL/dh |
# | at each time step | `rnn.register_step_hook(fn)` | dL/dh_t, and t |
#
# The second matters for Adam: its step hardly depends on how long the gradient is. A hook that should limit how
# far a parameter moves must see the *update*. This one limits it to 1 % of the parameter's norm.

# %% [markdown] lang="zh"
# **结论。** 普通的类把 NaN 记下来了。列表的中位数成了 NaN，没有哪个范数大于 NaN，只要 NaN 还在记忆里，就再也不会裁剪。`Stateful` 钩子则恢复到出错那一步之前的状态。这样的钩子还会随优化器一起保存和加载。
#
# ## 5. 钩子还能放在哪里
#
# | 位置 | 写法 | 收到什么 |
# |---|---|---|
# | 更新之前 | `optim.SGD(..., hooks=[hook])` | 梯度 |
# | 更新量上 | `optim.SGD(..., update_hooks=[hook])` | 即将加到各参数上的量 |
# | 反向传播内部 | `h.register_hook(fn)` | dL/dh |
# | 每个时间步 | `rnn.register_step_hook(fn)` | dL/dh_t 和 t |
#
# 第二种对 Adam 很重要：它的步长几乎与梯度的长短无关。要限制参数移动多远，钩子必须看到**更新量**。下面这个钩子把它限制在参数范数的 1% 以内。

# %%
def at_most_one_percent(updates, ctx):
    limited = {}
    for name, u in updates.items():
        limit = 0.01 * np.linalg.norm(ctx.params[name])
        length = 0.0 if u is None else np.linalg.norm(u)
        limited[name] = u * (limit / length) if length > limit else u
    return limited


def one_adam_step(factor, update_hooks):
    """Return ||update|| / ||parameter|| in the first step of Adam, the gradients times a factor."""
    w = mg.tensor(np.ones(100), requires_grad=True)
    opt = optim.Adam([w], lr=0.05, update_hooks=update_hooks)
    w.grad = factor * np.linspace(1, 2, 100)
    before = w.data
    opt.step()
    return np.linalg.norm(w.data - before) / np.linalg.norm(before)


for factor in (1.0, 0.01):
    print(f"gradient times {factor:4g}: Adam moves w by {100 * one_adam_step(factor, []):.1f} %, "
          f"with the update hook by {100 * one_adam_step(factor, [at_most_one_percent]):.1f} %")

# %% [markdown] lang="en" slideshow={"slide_type": "fragment"}
# **Found.** A gradient a hundred times shorter gives Adam's first step the same length, so no clip of the gradient limits
# it. The update hook does.

# %% [markdown] lang="zh"
# **结论。** 梯度缩短到百分之一，Adam 第一步的长度不变，所以裁剪梯度限制不了它。更新钩子可以。

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# ## Your turn
#
# Replace `raise NotImplementedError` and run the cell below it. All three answers are hooks; the checks run them as an
# optimizer does.
#
# **Exercise 1.** A hook that fades: multiply every gradient by $1/(1 + k)$, with $k$ the number of updates made so far.
# A parameter without a gradient stays without.

# %% [markdown] lang="zh"
# ## 练习
#
# 把 `raise NotImplementedError` 换成你的代码，再运行下面的单元格。三道题的答案都是钩子，检查时会像优化器那样调用。
#
# **练习 1。** 一个逐渐减弱的钩子：把每个梯度乘以 $1/(1 + k)$，$k$ 是已完成的更新次数。没有梯度的参数，仍然没有梯度。

# %% tags=["exercise"]
def answer(grads, ctx):
    ### BEGIN SOLUTION
    return {name: g if g is None else g / (1 + ctx.step) for name, g in grads.items()}
    ### END SOLUTION


# %% tags=["check"]
check.fading_hook(answer)

# %% [markdown] lang="en" tags=["solution"]
# `ctx.step` counts updates; `ctx.micro_step` counts calls, and is larger where some were held or skipped. `None` is not
# a zero: a parameter with a gradient of zero may still be moved by its momentum.

# %% [markdown] lang="zh" tags=["solution"]
# `ctx.step` 数的是更新次数；`ctx.micro_step` 数的是调用次数，有梯度被按住或跳过时，后者更大。`None` 不是零：梯度为零的参数，仍可能被动量推着走。

# %% [markdown] lang="en"
# **Exercise 2.** A hook that refuses: answer `hooks.SKIP` if the norm of all gradients together is above 100, or is
# not finite (NaN or inf). Otherwise let the gradients through as they are.

# %% [markdown] lang="zh"
# **练习 2。** 一个会拒绝的钩子：如果全部梯度合起来的范数大于 100，或者不是有限数（NaN 或 inf），就返回 `hooks.SKIP`；否则让梯度原样通过。

# %% tags=["exercise"]
def answer(grads, ctx):
    ### BEGIN SOLUTION
    if not ctx.norm <= 100:
        return hooks.SKIP
    return grads
    ### END SOLUTION


# %% tags=["check"]
check.refusing_hook(answer)

# %% [markdown] lang="en" tags=["solution"]
# Every comparison with NaN is false. So `ctx.norm > 100` lets NaN through, and `not ctx.norm <= 100` does not. (To say
# `np.isfinite(ctx.norm)` as well is longer, and clearer.)

# %% [markdown] lang="zh" tags=["solution"]
# 与 NaN 的任何比较都是假。所以 `ctx.norm > 100` 会放过 NaN，而 `not ctx.norm <= 100` 不会。（再加上 `np.isfinite(ctx.norm)` 更长，但更清楚。）

# %% [markdown] lang="en"
# **Exercise 3.** Adaptive gradient clipping (Brock, De, Smith and Simonyan, 2021). A *unit* is a row $W_i$ of a weight
# matrix: the weights `W[i]` that lead to output $i$. (Of a convolution, too, `W[i]` is one unit. An array with fewer
# than two axes is one unit as a whole.) Its gradient $G_i$ is limited by the norm of its weights:
#
# $$G_i \leftarrow G_i\,\frac{c_i}{\lVert G_i \rVert} \quad\text{if}\quad \lVert G_i \rVert > c_i, \qquad
# c_i = 0.01\,\max(\lVert W_i \rVert, 10^{-3})$$
#
# The weights are in `ctx.params`. Gradients may be None, and may be zero.

# %% [markdown] lang="zh"
# **练习 3。** 自适应梯度裁剪（Brock、De、Smith、Simonyan，2021）。一个**单元**是权重矩阵的一行 $W_i$，即通向输出 $i$ 的权重 `W[i]`。（卷积也一样，`W[i]` 是一个单元。不到两个轴的数组，整个算一个单元。）它的梯度 $G_i$ 受自身权重范数的限制：
#
# $$G_i \leftarrow G_i\,\frac{c_i}{\lVert G_i \rVert} \quad\text{当}\quad \lVert G_i \rVert > c_i, \qquad
# c_i = 0.01\,\max(\lVert W_i \rVert, 10^{-3})$$
#
# 权重在 `ctx.params` 里。梯度可能是 None，也可能是零。

# %% tags=["exercise"]
def answer(grads, ctx):
    ### BEGIN SOLUTION
    def unit_norms(a):
        axes = tuple(range(1, a.ndim)) if a.ndim > 1 else None
        return np.sqrt((a ** 2).sum(axis=axes, keepdims=True))

    out = {}
    for name, g in grads.items():
        if g is not None:
            limits = 0.01 * np.maximum(unit_norms(ctx.params[name]), 1e-3)
            lengths = unit_norms(g)
            factors = np.where(lengths > limits, limits / np.maximum(lengths, 1e-300), 1.0)
            g = g * factors
        out[name] = g
    return out
    ### END SOLUTION


# %% tags=["check"]
check.agc_hook(answer)

# %% [markdown] lang="en" tags=["solution"]
# `keepdims=True` keeps the norms in the shape (out, 1, ...), so that each factor meets its own row. Without the $10^{-3}$
# a weight of zero could never move: its limit would be 0.
#
# What does it do to the layers of an exploding net? Each unit gets a limit of its own, and so the profile over depth is
# lost, which a clip of the global norm would keep. (The paper leaves the last layer out; in minigrad, give its parameters
# a group of their own, without the hook.)

# %% [markdown] lang="zh" tags=["solution"]
# `keepdims=True` 让范数保持 (out, 1, ...) 的形状，每个倍数就正好对上自己的那一行。没有 $10^{-3}$，为零的权重就永远动不了：它的上限是 0。
#
# 它对梯度爆炸的网络各层有什么影响？每个单元各有上限，所以各层之间的比例变了；按全局范数裁剪则保持比例不变。（论文不裁剪最后一层；在 minigrad 里，把它的参数单独放进一个参数组，不加这个钩子即可。）

# %% tags=["solution"]
rng = np.random.default_rng(0)
deep = nn.Sequential(*[m for _ in range(30) for m in (nn.Linear(32, 32, rng=rng), nn.Tanh())])
for layer in list(deep)[::2]:
    nn.init.orthogonal_(layer.weight, 2.0, rng)
x = rng.normal(size=(16, 32))
nn.functional.mse_loss(deep(x), 0.1 * x).backward()
grads = {name: p.grad.data for name, p in deep.named_parameters()}
params = {name: p.data for name, p in deep.named_parameters()}
print("norm of the weight gradient       layer 1    layer 30     ratio")
for name, hook_list in {"as it came": [], "hooks.ClipNorm(1)": [hooks.ClipNorm(1.0)],
                        "your AGC": [answer],
                        "hooks.AGC(0.01)": [hooks.AGC(0.01)]}.items():
    out = hooks.apply_hooks(hook_list, grads, params=params)
    first, last = np.linalg.norm(out["0.weight"]), np.linalg.norm(out["58.weight"])
    print(f"{name:25} {first:15.2g} {last:11.2g} {first / last:9.1f}")
