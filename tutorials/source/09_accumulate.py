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
# # 09 · Accumulate and clip
#
# **Goal: know when gradient accumulation is a large batch, and on which side of it a clip belongs.**
#
# A batch may not fit into memory. Then one takes it in parts, *micro-batches*, adds up their gradients, and makes one
# update. You have plugged in hooks (tutorial 00) and clipped in four ways (tutorial 06). Install once, in the folder of
# the project:
#
#     python -m pip install -e ".[notebook]"
#
# All of it takes about five seconds.

# %% [markdown] lang="zh"
# # 09 · 梯度累积与裁剪
#
# **目标：弄清梯度累积何时等价于大批量，以及裁剪应该放在累积之前还是之后。**
#
# 批量太大，内存可能放不下。这时就拆成几份，即**微批量**，把各份的梯度加起来，再更新一次。你已经会用钩子（教程 00），也见过四种裁剪（教程 06）。首次使用时，请在项目文件夹中安装：
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
# ## 1. The same gradient
#
# The loss of a batch is the mean over its $N$ items. Split it into parts $i$ with $m_i$ items each, and let $g_i$ be
# the gradient of the mean loss of part $i$. A gradient is linear in the loss, so
#
# $$g = \frac{\sum_i m_i\, g_i}{\sum_i m_i}$$
#
# `hooks.Accumulate(8)` computes this. It answers `hold` seven times, and lets the mean through at the eighth. The $m_i$
# come from `opt.step(weight=m)`. Call `zero_grad()` before *every* `backward()`, and don't divide the loss: the hook
# keeps the sum.
#
# Does one step with a batch of 64 digits equal one step with eight parts of 8?

# %% [markdown] lang="zh"
# ## 1. 同一个梯度
#
# 批量的损失是 $N$ 个样本损失的平均。把它拆成若干份，第 $i$ 份有 $m_i$ 个样本，$g_i$ 是这一份平均损失的梯度。梯度对损失是线性的，所以
#
# $$g = \frac{\sum_i m_i\, g_i}{\sum_i m_i}$$
#
# `hooks.Accumulate(8)` 算的就是它：前七次回答 `hold`（按住不动），第八次放行平均梯度。$m_i$ 由 `opt.step(weight=m)` 给出。**每次** `backward()` 之前都要调用 `zero_grad()`，损失也不必除以份数：累加由钩子负责。
#
# 用 64 个手写数字组成的批量走一步，和分成八份、每份 8 个走一步，结果一样吗？

# %%
digits = tasks.digits("train")
x64, y64 = digits.x[:64], digits.y[:64]


def make_net(seed=0, normalised=False):
    """Return a small net for 8x8 digits, with BatchNorm if wanted."""
    rng = np.random.default_rng(seed)
    norm = [nn.BatchNorm1d(32)] if normalised else []
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 32, rng=rng), *norm, nn.ReLU(),
                         nn.Linear(32, 10, rng=rng))


def one_update(sizes, weighted=True, normalised=False, reduction="mean", show=False):
    """Take the 64 digits in parts of these sizes; return how all parameters moved, as a vector."""
    net = make_net(normalised=normalised)
    before = nn.utils.parameters_to_vector(net.parameters()).data
    opt = optim.SGD(net.parameters(), lr=1.0, hooks=[hooks.Accumulate(len(sizes))])
    ends = np.cumsum(sizes)
    for start, end in zip(ends - sizes, ends):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(x64[start:end]), y64[start:end], reduction=reduction)
        loss.backward()
        report = opt.step(weight=end - start if weighted else 1)
        if show:
            print(report.status, report.reason)
    return nn.utils.parameters_to_vector(net.parameters()).data - before


def apart(a, b):
    """Return ||a - b|| / ||b||."""
    return np.linalg.norm(a - b) / np.linalg.norm(b)


large = one_update([64])
parts = one_update([8] * 8, show=True)
print("difference below 1e-12:", apart(parts, large) < 1e-12)

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** It is the same step, up to rounding. So accumulation changes nothing about exploding or vanishing.
#
# ## 2. When it is not
#
# The formula needs three things: the loss is a mean over items; the weights are the sizes; no layer mixes the items of
# a batch. Break them one by one.

# %% [markdown] lang="zh"
# **结论。** 两种走法是同一步，只差舍入误差。可见累积对梯度爆炸和消失毫无影响。
#
# ## 2. 何时不等价
#
# 公式要成立，需要三个条件：损失是对样本取的平均；权重等于各份的样本数；没有哪一层把批量里的样本混在一起。下面逐一破坏。

# %% slideshow={"slide_type": "fragment"}
uneven = [1, 7, 24, 32]
cases = {
    "8 parts of 8": (parts, large),
    "1 + 7 + 24 + 32, weight = size": (one_update(uneven), large),
    "1 + 7 + 24 + 32, all weights 1": (one_update(uneven, weighted=False), large),
    "the same, loss is a sum, weight = size": (one_update(uneven, reduction="sum"), large),
    "8 parts of 8, net with BatchNorm": [one_update(sizes, normalised=True)
                                         for sizes in ([8] * 8, [64])],
}
print("                                         difference   length")
for name, (moved, whole) in cases.items():
    far, longer = apart(moved, whole), np.linalg.norm(moved) / np.linalg.norm(whole)
    print(f"{name:38} {'rounding' if far < 1e-12 else f'{100 * far:.0f} %':>12} {longer:8.2f}")

# %% [markdown] lang="en" slideshow={"slide_type": "fragment"}
# **Found.**
#
# * Unequal parts need their sizes as weights. With equal weights, the single digit in the first part counts as much as
#   the 32 in the last.
# * A loss that is already a sum holds its size in itself. Weighted once more, the step is 27 times too long. (For sums,
#   use `Accumulate(k, reduction="sum")` and no weights.)
# * BatchNorm takes mean and variance over the batch. Eight parts have eight means, and so it is another function. No
#   weights repair that.
#
# One more difference is no error at all: a large batch makes fewer *updates*. And the optimizer decides whether a sum
# instead of a mean matters.

# %% [markdown] lang="zh"
# **结论。**
#
# * 大小不等的微批量必须以样本数为权重。如果权重全取 1，第一份里孤零零的一个数字，就和最后一份里的 32 个同样重要。
# * 损失若已经是总和，样本数就已经算在里面，再加一次权，步长就变成 27 倍。（损失是总和时，用 `Accumulate(k, reduction="sum")`，不加权。）
# * 批量归一化要对整个批量求均值和方差。八份就有八个均值，函数本身已经变了，任何权重都补救不了。
#
# 还有一处差别不算错误：大批量的**更新次数**更少。至于把平均换成总和有没有影响，要看优化器。

# %%
def travelled(make_optimizer, hook_list, epochs=10):
    """Return how far the parameters get in some epochs over the 64 digits, in 8 parts."""
    net = make_net()
    before = nn.utils.parameters_to_vector(net.parameters()).data
    opt = make_optimizer(net.parameters(), hook_list)
    for _ in range(epochs):
        for start in range(0, 64, 8):
            opt.zero_grad()
            nn.functional.cross_entropy(net(x64[start:start + 8]), y64[start:start + 8]).backward()
            opt.step()
    return np.linalg.norm(nn.utils.parameters_to_vector(net.parameters()).data - before)


makers = {"SGD": lambda p, hook_list: optim.SGD(p, lr=0.01, hooks=hook_list),
          "Adam": lambda p, hook_list: optim.Adam(p, lr=0.01, hooks=hook_list)}
print("distance travelled, divided by that with the mean of 8 parts")
for name, make in makers.items():
    mean = travelled(make, [hooks.Accumulate(8)])
    total = travelled(make, [hooks.Accumulate(8, reduction="sum")])
    each = travelled(make, [])
    print(f"{name:5} sum of 8 parts: {total / mean:.1f}    "
          f"an update for each part: {each / mean:.1f}")

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** With the sum SGD goes nearly eight times as far; Adam does not notice. An update for each part instead of one
# for eight makes both go several times as far. So with accumulation the learning rate is to be chosen anew.
#
# ## 3. Clip before or after?
#
# List order is time order. `[ClipNorm(1), Accumulate(2)]` clips each micro-batch; `[Accumulate(2), ClipNorm(1)]` clips
# the mean. A third order comes about by mistake: `clip_grad_norm_` after each `backward()`, while `.grad` goes on
# summing. Take two micro-batches with the gradients 10 and $-9$, and a threshold of 1.

# %% [markdown] lang="zh"
# **结论。** 用总和时，SGD 走出将近八倍远，Adam 则毫无察觉。每一份都更新一次，而不是八份更新一次，两者都会走出好几倍远。所以用了累积，学习率要重新选。
#
# ## 3. 先裁剪还是后裁剪？
#
# 列表的顺序就是时间的顺序。`[ClipNorm(1), Accumulate(2)]` 对每个微批量裁剪；`[Accumulate(2), ClipNorm(1)]` 对平均值裁剪。还有一种不小心就会写成的顺序：每次 `backward()` 之后都调用 `clip_grad_norm_`，而 `.grad` 继续累加。取两个微批量，梯度分别是 10 和 $-9$，阈值取 1。

# %%
def update(hook_list, gradients):
    """Return what reaches the optimizer when these gradients come one after the other."""
    w = mg.tensor(np.zeros_like(gradients[0]), requires_grad=True)
    opt = optim.SGD([w], lr=1.0, hooks=hook_list)
    for g in gradients:
        w.grad = g
        opt.step()
    return 0.0 - w.data


orders = {"clip, then accumulate": lambda k: [hooks.ClipNorm(1.0), hooks.Accumulate(k)],
          "accumulate, then clip": lambda k: [hooks.Accumulate(k), hooks.ClipNorm(1.0)]}
for name, order in orders.items():
    print(f"{name}:     {update(order(2), np.array([[10.0], [-9.0]]))[0]:5.2f}")
w = mg.tensor([0.0], requires_grad=True)
for g in (10.0, -9.0):
    (g * w).sum().backward()                    # adds to w.grad
    nn.utils.clip_grad_norm_([w], 1.0)
print(f"clip the running sum again: {w.grad.item():5.2f}   (the mean of both is {(10 - 9) / 2})")

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** Three orders, three answers. The mean of the two is 0.5; clipped after it, that is what comes out. Clipped
# before, both count the same and cancel. The running sum even comes out with the wrong sign.
#
# So is the clip after the window always right? Train on digits, in micro-batches of 8, four to a window, for one epoch.
# Then once more with a fault: in every eighth micro-batch all pixels are 100 times too large.

# %% [markdown] lang="zh"
# **结论。** 三种顺序，三个结果。两者的平均是 0.5，后裁剪得到的正是它。先裁剪，两者分量相同，互相抵消。反复裁剪累加和，连符号都错了。
#
# 那么，后裁剪就一定对吗？用手写数字训练一轮，每个微批量 8 个样本，每四个微批量组成一个窗口。然后加上故障再训练一次：每八个微批量里有一个，像素全部放大了 100 倍。（输出和图中，all well 表示正常，with the fault 表示有故障。）

# %%
test = tasks.digits("test")


def accuracy(seed, hook_list, faulty):
    """Train for one epoch; return the share of test digits that are right."""
    net, order = make_net(seed), np.random.default_rng(seed).permutation(len(digits.x))
    opt = optim.SGD(net.parameters(), lr=0.5, hooks=hook_list)
    for count, start in enumerate(range(0, len(order) - 7, 8)):
        x, y = digits.x[order[start:start + 8]], digits.y[order[start:start + 8]]
        opt.zero_grad()
        nn.functional.cross_entropy(net(100 * x if faulty and count % 8 == 0 else x), y).backward()
        opt.step(weight=8)
    return np.mean(net(test.x).data.argmax(axis=1) == test.y)


setups = {"no clip": lambda k: [hooks.Accumulate(k)], **orders}
found = {(name, faulty): [accuracy(seed, make(4), faulty) for seed in range(3)]
         for name, make in setups.items() for faulty in (False, True)}
print("seeds with more than 60 % right    all well   with the fault")
for name in setups:
    well, ill = (sum(a > 0.6 for a in found[name, faulty]) for faulty in (False, True))
    print(f"{name:32} {well:6d} of 3 {ill:11d} of 3")

four = np.array([[0.2, 0.9], [-0.1, 1.0], [0.3, 0.8], [4.0, -1.5]])        # the last one is bad
with mg.plot.styled():
    fig, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4.2), dpi=85, layout="constrained",
                                      width_ratios=(1.2, 1))
    arrows = {"four micro-batches": (four, "#999999")}
    for (name, order), colour in zip(orders.items(), ("#0072B2", "#D55E00")):
        arrows[name] = (update(order(4), four)[None], colour)
    for name, (ends, colour) in arrows.items():
        left.quiver(*np.zeros_like(ends).T, *ends.T, color=colour, angles="xy", scale_units="xy",
                    scale=1, width=0.008 if len(ends) > 1 else 0.016, label=name)
    left.add_patch(plt.Circle((0, 0), 1, fill=False, ls="--"))
    left.set(xlim=(-1.2, 4.2), ylim=(-1.8, 1.9), aspect="equal",
             title="One bad micro-batch (dashed: threshold)")
    left.legend(loc="upper right")
    for place, name in enumerate(setups):
        for faulty, marker in ((False, "o"), (True, "X")):
            right.plot([place - 0.12, place, place + 0.12], found[name, faulty], marker,
                       markersize=9, color="#D55E00" if faulty else "#0072B2",
                       label=("all well", "with the fault")[faulty] if place == 0 else None)
    right.set(ylim=(0, 1), xlim=(-0.5, 2.5), ylabel="share of test digits right",
              title="Digits, 3 seeds, one epoch")
    right.set_xticks(range(3), [name.replace(", ", ",\n") for name in setups])
    right.legend(loc="upper left", fontsize=11)
plt.show()

# %% [markdown] lang="en" slideshow={"slide_type": "fragment"}
# **What to see.** *Left:* three micro-batches agree: up. The fourth is bad, and long. Their mean goes where the bad one
# goes, and a clip afterwards shortens it but cannot turn it back (orange). Clipped first, the bad one has one vote of four
# (blue). *Right:* with the fault, nothing is learned without a clip. With a clip after the window no seed comes above
# 60 %, with a clip before it every seed does.
#
# But the clip before has a price: the mean of clipped gradients belongs to another loss. Let nine of ten micro-batches
# want $w = 0$, and one $w = 10$: losses $\tfrac12 (w - x)^2$, gradients $w - x$. The mean loss is smallest at $w = 1$.
# Clipped at 1 each, the ten balance where $9w = 1$.

# %% [markdown] lang="zh"
# **看什么。** **左**：三个微批量意见一致，都朝上。第四个是坏的，而且很长。平均值跟着坏的走，事后裁剪只能缩短平均值，不能把它转回来（橙色箭头）。先裁剪，坏的就只有四分之一的发言权（蓝箭头）。**右**：有故障时，不裁剪什么都学不到；后裁剪没有一个种子超过 60%，先裁剪则个个超过。
#
# 但先裁剪有代价：裁剪后再平均，对应的已经是另一个损失。设十个微批量中有九个想要 $w = 0$，一个想要 $w = 10$：损失为 $\tfrac12 (w - x)^2$，梯度为 $w - x$。平均损失在 $w = 1$ 处最小。如果每个都先以 1 为阈值裁剪，十个梯度就在 $9w = 1$ 处达到平衡。

# %%
for name, order in orders.items():
    w = mg.tensor([3.0], requires_grad=True)
    opt = optim.SGD([w], lr=0.1, hooks=order(10))
    for _ in range(200):
        for x in [0.0] * 9 + [10.0]:
            opt.zero_grad()
            (0.5 * (w - x) ** 2).sum().backward()
            opt.step()
    print(f"{name}: ends at w = {w.item():.4f}")
print(f"predicted:             1/9 = {1 / 9:.4f}  and  1")

w = mg.tensor([0.0], requires_grad=True)
opt = optim.SGD([w], lr=1.0, hooks=[hooks.Accumulate(2)])
print("\nfive micro-batches with gradients 1 to 5, windows of two:")
for g in (1.0, 2.0, 3.0, 4.0, 5.0):
    w.grad = [g]
    before, report = w.item(), opt.step()
    print(f"gradient {g:g}: {report.status}, w moved by {w.item() - before:g}")
before, report = w.item(), opt.flush()
print(f"flush():    {report.status}, w moved by {w.item() - before:g}")

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** After the window, the clip means what it means for a large batch, and the optimum stays. Before it, the clip
# limits what one micro-batch can do, and moves the optimum. The first is the rule; the second is a remedy for bad data.
#
# At the end of an epoch a window may be half full. `opt.flush()` lets it go, divided by what is in it: 5, not 2.5.

# %% [markdown] lang="zh"
# **结论。** 放在累积之后，裁剪的含义和大批量时一样，最优点不变。放在累积之前，裁剪限制单个微批量的影响，却移动了最优点。前者是常规，后者是对付坏数据的办法。
#
# 一轮结束时，窗口可能只装了一半。`opt.flush()` 放行剩下的部分，除以其中实际有的数目：得 5，而不是 2.5。

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# ## Your turn
#
# Replace `raise NotImplementedError` and run the cell below it.
#
# **Exercise 1.** `means` is a list of numbers or arrays, one for each micro-batch: the mean gradient of its items.
# `sizes` says how many items each had. Return the mean gradient of all items together.

# %% [markdown] lang="zh"
# ## 练习
#
# 把 `raise NotImplementedError` 换成你的代码，再运行下面的单元格。
#
# **练习 1。** `means` 是一个列表，每个微批量对应一个数或一个数组，即其样本的平均梯度。`sizes` 是各微批量的样本数。返回全部样本的平均梯度。

# %% tags=["exercise"]
def answer(means, sizes):
    ### BEGIN SOLUTION
    return sum(m * g for m, g in zip(sizes, means)) / sum(sizes)
    ### END SOLUTION


# %% tags=["check"]
check.combine_means(answer)

# %% [markdown] lang="en" tags=["solution"]
# A mean times its size is a sum. Add the sums, and divide by the number of all items. The mean of the means is right
# only for equal sizes.

# %% [markdown] lang="zh" tags=["solution"]
# 平均值乘以样本数就是总和。把总和加起来，再除以全部样本数。只有各份大小相等时，平均值的平均才是对的。

# %% [markdown] lang="en"
# **Exercise 2.** Both orders, by hand. `grads` is a list of vectors, one per micro-batch, all of equal weight. Return
# two vectors: first accumulate (the mean), then clip to a norm of `c`; and first clip each, then accumulate.

# %% [markdown] lang="zh"
# **练习 2。** 亲手实现两种顺序。`grads` 是一个向量列表，每个微批量一个，权重相等。返回两个向量：先累积（取平均）、再裁剪到范数 `c`；以及先逐个裁剪、再累积。

# %% tags=["exercise"]
def answer(grads, c):
    ### BEGIN SOLUTION
    def clip(g):
        length = np.linalg.norm(g)
        return g * (c / length) if length > c else g

    return clip(np.mean(grads, axis=0)), np.mean([clip(g) for g in grads], axis=0)
    ### END SOLUTION


# %% tags=["check"]
check.two_orders(answer)

# %% [markdown] lang="en" tags=["solution"]
# The same two functions, the other way round. They agree if nothing is longer than `c`, since then no clip acts. Clipping
# is not linear, and so the order matters.

# %% [markdown] lang="zh" tags=["solution"]
# 同样两个函数，顺序相反。如果没有梯度超过 `c`，裁剪不起作用，两者就一致。裁剪不是线性的，所以顺序有影响。

# %% [markdown] lang="en"
# **Exercise 3.** Write the window itself. Micro-batches come one after the other, with `gradients` (numbers) and
# `weights`. Every `every` of them make one update: the weighted mean of the window. At the end a window that is not
# full makes an update as well, as `flush()` does. Return the list of all updates.

# %% [markdown] lang="zh"
# **练习 3。** 自己写这个窗口。微批量依次到来，梯度为 `gradients`（每个是一个数），权重为 `weights`。每满 `every` 个就更新一次，更新量是窗口内的加权平均。最后没装满的窗口也要更新一次，就像 `flush()` 那样。返回全部更新量组成的列表。

# %% tags=["exercise"]
def answer(gradients, weights, every):
    ### BEGIN SOLUTION
    updates = []
    for start in range(0, len(gradients), every):
        g, m = gradients[start:start + every], weights[start:start + every]
        updates.append(sum(a * b for a, b in zip(g, m)) / sum(m))
    return updates
    ### END SOLUTION


# %% tags=["check"]
check.run_windows(answer)

# %% [markdown] lang="en" tags=["solution"]
# A slice beyond the end is shorter, and its own weights divide it. Two mistakes are easily made: to forget the
# last window, and to divide it by `every`, which makes its items count less.

# %% [markdown] lang="zh" tags=["solution"]
# 切片超出末尾时会自动变短，除的就是它自己的权重和。有两种错误很容易犯：忘了最后一个窗口，或者仍除以 `every`，使其中样本的分量变轻。
