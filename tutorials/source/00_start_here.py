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
# # 00 · Start here
#
# **Goal: five lines to an exploding gradient.** Then you watch one ruin a training run, clip it, and see what clipping
# did and what it did not do.
#
# You need Python and the chain rule. Install once, in the folder of the project:
#
#     python -m pip install -e ".[notebook]"
#
# Run the cells from top to bottom. All of it takes about ten seconds. Three exercises at the end check themselves.

# %% [markdown] lang="zh"
# # 00 · 从这里开始
#
# **目标：用五行代码看到一次梯度爆炸。** 然后看它怎样毁掉一次训练，再把它裁剪掉，弄清裁剪做了什么、没做什么。
#
# 需要会用 Python，懂得链式法则。首次使用时，请在项目文件夹中安装：
#
#     python -m pip install -e ".[notebook]"
#
# 从上到下依次运行各个单元格，全部大约需要十秒。最后有三道自动批改的练习。

# %% tags=["setup"]
import matplotlib.pyplot as plt
import numpy as np

import minigrad as mg
from minigrad import check, hooks, nn, optim

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# ## 1. Five lines
#
# Take a number and multiply it by $w$ a hundred times: $h_0 = x$ and $h_{t+1} = w\,h_t$. How much does the end,
# $h_T$, change when the beginning changes? Each step has the derivative $w$. The chain rule multiplies them:
#
# $$\frac{dh_T}{dx} = w \cdot w \cdots w = w^T$$
#
# `backward()` goes through the chain from its end to its beginning. It multiplies by $w$ at each step.

# %% [markdown] lang="zh"
# ## 1. 五行代码
#
# 取一个数，连乘一百次 $w$：$h_0 = x$，$h_{t+1} = w\,h_t$。起点变一点，终点 $h_T$ 会变多少？每一步的导数都是 $w$，链式法则把这些导数乘起来：
#
# $$\frac{dh_T}{dx} = w \cdot w \cdots w = w^T$$
#
# `backward()` 从链的末端走回起点，每走一步就乘一次 $w$。

# %% slideshow={"slide_type": "fragment"}
x = mg.tensor(1.0, requires_grad=True)
h = x
for _ in range(100):
    h = 1.5 * h
h.backward()

print(f"measured  {x.grad.item():.6g}")
print(f"predicted {1.5 ** 100:.6g}")

# %% slideshow={"slide_type": "subslide"}
print("    w   measured dh/dx   predicted w^100")
for w in (0.5, 0.9, 1.0, 1.1, 1.5):
    x = mg.tensor(1.0, requires_grad=True)
    h = x
    for _ in range(100):
        h = w * h
    h.backward()
    print(f"{w:5.1f}   {x.grad.item():14.3e}   {w ** 100:15.3e}")

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** Prediction and measurement agree. Above $w = 1$ the gradient *explodes*, below it *vanishes*. It does so
# exponentially in the number of steps: 1.1 and 0.9 look harmless, and are more than eight powers of ten apart.
#
# ## 2. Fifty layers
#
# A deep net is such a chain, too. Each layer computes $h_k = \tanh(W_k h_{k-1})$, so the gradient goes back by
#
# $$\frac{dL}{dh_{k-1}} = W_k^\top \left[(1 - h_k^2) \odot \frac{dL}{dh_k}\right]$$
#
# Let $W_k$ be 1.5 times a rotation. Without the tanh, each layer makes the gradient exactly 1.5 times as long: the law
# $w^T$ again. The tanh has the slope $1 - h^2 \le 1$, which takes some of that away. How much? Measure it.

# %% [markdown] lang="zh"
# **结论。** 预测与测量一致。$w > 1$ 时梯度**爆炸**，$w < 1$ 时梯度**消失**，而且都随步数呈指数变化：1.1 和 0.9 看上去都很温和，结果却相差超过八个数量级。
#
# ## 2. 五十层
#
# 深层网络也是这样一条链。每一层计算 $h_k = \tanh(W_k h_{k-1})$，于是梯度按下式往回传：
#
# $$\frac{dL}{dh_{k-1}} = W_k^\top \left[(1 - h_k^2) \odot \frac{dL}{dh_k}\right]$$
#
# 取 $W_k$ 为 1.5 倍的旋转矩阵。如果没有 tanh，每过一层，梯度的长度恰好变为 1.5 倍，又是 $w^T$ 这条规律。tanh 的斜率 $1 - h^2 \le 1$，会抵消掉一部分。抵消多少？测一测就知道。

# %% tags=["setup"]
inputs = np.linspace(-1, 1, 32)[:, None]
targets = 0.8 * np.sin(3 * inputs)


def make_net(seed, gain=1.5, depth=50, width=32):
    """Return a deep tanh net; its inner weights are `gain` times a random rotation."""
    rng = np.random.default_rng(seed)
    inner = [nn.Linear(width, width, rng=rng) for _ in range(depth - 2)]
    for layer in inner:
        nn.init.orthogonal_(layer.weight, gain, rng)
    layers = [nn.Linear(1, width, rng=rng), *inner, nn.Linear(width, 1, rng=rng)]
    for layer in layers:
        nn.init.constant_(layer.bias, 0)
    return nn.Sequential(*[module for layer in layers for module in (layer, nn.Tanh())])


def gradient_norms(net, activation):
    """Return ||dL/dh_k|| for the hidden layers, first layer first."""
    h, hidden = inputs, []
    for layer in list(net)[::2]:                    # every second module is a Linear
        h = activation(layer(h))
        h.retain_grad()
        hidden.append(h)
    nn.functional.mse_loss(h, targets).backward()
    return np.array([state.grad.norm().item() for state in hidden[:-1]])


net = make_net(seed=0)
linear = gradient_norms(net, lambda a: a)[::-1]     # last hidden layer first
tanh = gradient_norms(net, np.tanh)[::-1]
print("layers back   predicted 1.5^k   measured, no tanh   measured, tanh")
for k in range(0, 49, 8):
    print(f"{k:11d}   {1.5 ** k:15.3e}   {linear[k] / linear[0]:17.3e}   {tanh[k] / tanh[0]:14.3e}")

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** Without the tanh the law holds to every digit shown. With it the gradient still explodes, but far more
# slowly: 90 times in 48 layers. The slope $1 - h^2$ eats most of the factor 1.5, and leaves about 1.1 per layer.
#
# ## 3. Train it
#
# Let the net learn $0.8 \sin 3x$ from 32 points. We use plain gradient descent, $p \leftarrow p - \eta\, g$, with
# $\eta = 0.1$. A `NormTrace` writes down the length $\lVert g \rVert$ of the whole gradient at every step.
#
# What would count as *not* learning? The best step function (one value on the left, its opposite on the right) has a
# loss of 0.057. We say that a net has *learned the curve* if it ends below three quarters of that. And because one run
# proves nothing, we take four seeds.

# %% [markdown] lang="zh"
# **结论。** 没有 tanh 时，显示出来的每一位数字都符合规律。有 tanh 时梯度仍然爆炸，但慢得多：48 层只放大到 90 倍。斜率 $1 - h^2$ 把因子 1.5 吃掉大半，平均每层只剩约 1.1 倍。
#
# ## 3. 训练这个网络
#
# 让网络从 32 个点学习 $0.8 \sin 3x$。用最朴素的梯度下降 $p \leftarrow p - \eta\, g$，学习率 $\eta = 0.1$。`NormTrace` 记下每一步整个梯度的长度 $\lVert g \rVert$。
#
# 怎样算**没学会**？最好的阶跃函数（左边取一个值，右边取它的相反数）的损失是 0.057。最终损失低于这个数的四分之三，才算网络**学会了这条曲线**。一次训练说明不了什么，所以用四个随机种子。

# %% tags=["setup"]
step_function = np.sign(inputs) * np.abs(targets).mean()
step_loss = np.mean((step_function - targets) ** 2)
bar = 0.75 * step_loss


def train(seed, hook_list, lr=0.1, gain=1.5, steps=300):
    """Train one net; return it and the trace of its gradient."""
    net = make_net(seed, gain)
    trace = mg.NormTrace()
    opt = optim.SGD(net.parameters(), lr=lr, hooks=hook_list, trace=trace)
    for _ in range(steps):
        loss = nn.functional.mse_loss(net(inputs), targets)
        opt.zero_grad()
        loss.backward()
        opt.step(loss=loss)
    return net, trace


def report(runs):
    """Print each seed's first gradient norm; is the mean of its last 20 losses below the bar?"""
    learned = [trace.column("loss", stage=0)[-20:].mean() < bar for _, trace in runs]
    for seed, (_, trace) in enumerate(runs):
        first = trace.column("norm_in", stage=0)[0]
        word = "yes" if learned[seed] else "no"
        print(f"seed {seed}: first gradient norm {first:8.3g}   learned the curve: {word}")
    print(f"{sum(learned)} of {len(runs)} learned the curve (final loss below {bar:.3f})")


print(f"loss of the best step function: {step_loss:.3f}\n")
plain = [train(seed, []) for seed in range(4)]
report(plain)

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** The gradient is long from the first step on: at a rate of 0.1 and a norm of 56, the first step is 5.6 long.
# No seed learns the curve.
#
# ## 4. Plug in a hook
#
# *Clip the norm* (Pascanu, Mikolov and Bengio, 2013): if the gradient is longer than a threshold $c$, shorten it to
# $c$, otherwise leave it alone.
#
# $$g \leftarrow g \cdot \min\left(1, \frac{c}{\lVert g \rVert}\right)$$
#
# In minigrad that is a *hook*: it stands between `backward()` and the update. One argument changes, and nothing else:
# the same seeds, the same first weights, the same rate.

# %% [markdown] lang="zh"
# **结论。** 梯度从第一步起就很长：学习率 0.1，范数 56，第一步就跨出 5.6 远。四个种子没有一个学会。
#
# ## 4. 挂上一个钩子
#
# **按范数裁剪**（Pascanu、Mikolov、Bengio，2013）：梯度比阈值 $c$ 长，就缩短到 $c$；否则原样不动。
#
# $$g \leftarrow g \cdot \min\left(1, \frac{c}{\lVert g \rVert}\right)$$
#
# 在 minigrad 里，这是一个**钩子**，位于 `backward()` 和参数更新之间。代码只改这一处，其余全都不变：同样的种子，同样的初始权重，同样的学习率。

# %%
clipped = [train(seed, [hooks.ClipNorm(1.0)]) for seed in range(4)]
report(clipped)

# %% slideshow={"slide_type": "slide"}
seed = 0
traces = [plain[seed][1], clipped[seed][1]]
# The same vertical scale left and right. Stage 0, where there is no clip: the gradient as it came.
lanes = mg.plot.Lanes(*[trace.column(name, stage=trace.clip_stage() or 0)
                        for trace in traces for name in ("norm_in", "norm_out")])

with mg.plot.styled():
    _, axes = plt.subplots(2, 2, figsize=(10, 7), dpi=90, layout="constrained",
                           height_ratios=(3, 2))
    for column, (runs, what) in enumerate([(plain, "no clipping"), (clipped, "clipped at 1")]):
        mg.plot.norms(traces[column], axes[0, column], lanes=lanes,
                      title=f"Gradient norm per step, {what} (seed {seed})")
        below = axes[1, column]
        for net, _ in runs:
            below.plot(inputs, net(inputs).data, color="#0072B2",
                       label="nets" if net is runs[0][0] else None)
        below.plot(inputs, targets, "k--", label="target")
        below.set(title=f"What 4 nets learned, {what}", xlabel="input",
                  xticks=(-1, 0, 1), yticks=(-1, 0, 1))
        below.legend(loc="upper left")
plt.show()

# %% [markdown] lang="en" slideshow={"slide_type": "fragment"}
# **What to see.** Both runs start with the same gradient, 56 long. *Left:* without the clip it leaps above 100. Twenty
# updates later all is over. The gradient only shrinks from there, to below $10^{-4}$, and what the nets have learned is
# a step: one value on the left, its opposite on the right. *Right:* the orange line is what `backward()` produced, the
# blue line what the optimizer was given. It never passes the threshold. Dots mark the steps that were clipped; on all
# other steps the two lines are one. Now follow the orange line: in the beginning it is far above the threshold, later
# hardly ever. Nobody clips the orange line. It is the net that went to a place where gradients are shorter. So clipping
# changed the *path*, not only the steps.
#
# ## 5. What clipping did, and what it did not do
#
# A claim often heard: "clipping changes the direction". Another: "clipping balances the layers". Take one step and
# measure. `backward()` leaves the gradient in `p.grad`, and no hook writes there. So we can compare it with the step
# that the parameters really made.

# %% [markdown] lang="zh"
# **看什么。** 两次训练的起始梯度相同，长度都是 56。**左**：不裁剪时，梯度猛增到 100 以上，再过二十次更新就大势已去。此后梯度一路缩小到 $10^{-4}$ 以下，网络学到的只是一个台阶：左边一个值，右边是它的相反数。**右**：橙线是 `backward()` 算出的梯度，蓝线是真正交给优化器的梯度，从不越过阈值。圆点标出被裁剪的步；在其余各步，两条线重合。再跟着橙线看下去：开始时远高于阈值，后来几乎不再超过。橙线并没有被裁剪，是网络自己走到了梯度较短的地方。可见裁剪改变的不只是每一步，还有整条**路径**。
#
# ## 5. 裁剪做了什么，没做什么
#
# 常听到一种说法：“裁剪会改变方向。”还有一种：“裁剪让各层的梯度更均衡。”走一步，测一测。`backward()` 把梯度留在 `p.grad` 里，钩子不会改写，因此可以拿来和参数实际走出的一步作比较。

# %%
net = make_net(seed=0)
opt = optim.SGD(net.parameters(), lr=0.1, hooks=[hooks.ClipNorm(1.0)])
before = {name: p.data for name, p in net.named_parameters()}
nn.functional.mse_loss(net(inputs), targets).backward()
print(opt.step())

gradient = {name: p.grad.data for name, p in net.named_parameters()}
step = {name: before[name] - p.data for name, p in net.named_parameters()}
g = np.concatenate([a.ravel() for a in gradient.values()])
s = np.concatenate([a.ravel() for a in step.values()])
length = np.linalg.norm(s)
print(f"\nlength of the step:                      {length:.6f}   (rate 0.1 times threshold 1)")
print(f"cosine of the angle, gradient and step:  {g @ s / np.linalg.norm(g) / length:.6f}\n")
for name in ("0.weight", "48.weight", "98.weight"):
    norm = np.linalg.norm(gradient[name])
    share = np.linalg.norm(step[name]) / (0.1 * norm)
    print(f"{name:>9}: norm of the gradient {norm:7.3f}, multiplied by {share:.6f}")

# %%
print("a gain of 0.5, clipped at 1:")
vanishing = [train(seed, [hooks.ClipNorm(1.0)], gain=0.5, steps=50) for seed in range(4)]
report(vanishing)
coefficients = np.concatenate([trace.column("coefficient", hook="ClipNorm")
                               for _, trace in vanishing])
low, high = coefficients.min(), coefficients.max()
print(f"clip coefficient over all {len(coefficients)} steps: from {low:g} to {high:g}")

print("\nno clipping, a rate of 0.005:")
slow = [train(seed, [], lr=0.005) for seed in range(4)]
report(slow)

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.**
#
# * The direction stays: the cosine is 1. The step is as long as rate times threshold allows.
# * The layers stay as they were to each other: all are multiplied by one and the same number. (The gradients of the
#   *weights* differ by a factor of 2 here, where $dL/dh$ differed by 90 in section 2. So look at both.)
# * A vanishing gradient stays vanished. Clipping never lengthens, so its coefficient is 1 throughout, and nothing is
#   learned.
# * Clipping is not the only cure. A rate that is twenty times smaller learns without it. But it makes *every* step
#   shorter, not only those that are too long.

# %% [markdown] lang="zh"
# **结论。**
#
# * 方向不变：夹角的余弦是 1。步长恰好是学习率乘阈值。
# * 各层之间的比例不变：所有层都乘以同一个数。（这里各层**权重**的梯度只差 2 倍，而第 2 节里 $dL/dh$ 相差 90 倍。所以两者都要看。）
# * 消失的梯度依旧消失。裁剪从不放大，所以系数始终是 1，什么也没学到。
# * 裁剪不是唯一的办法。学习率缩小到二十分之一，不裁剪也能学会。但这样**每一步**都变短了，而不只是那些过长的步。

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# ## Your turn
#
# Replace `raise NotImplementedError` and run the cell below it.
#
# **Exercise 1.** A chain multiplies by $w$ for $T$ steps. By which factor is the gradient at its beginning longer than
# at its end? Return a number, with its sign. What is it for $T = 0$?

# %% [markdown] lang="zh"
# ## 练习
#
# 把 `raise NotImplementedError` 换成你的代码，再运行下面的单元格。
#
# **练习 1。** 一条链走 $T$ 步，每步乘 $w$。起点的梯度是终点的多少倍？返回一个数，要带正负号。$T = 0$ 时是多少？

# %% tags=["exercise"]
def answer(w, T):
    ### BEGIN SOLUTION
    return w ** T
    ### END SOLUTION


# %% tags=["check"]
check.chain_factor(answer)

# %% [markdown] lang="en" tags=["solution"]
# Each step has the derivative $w$, and the chain rule multiplies $T$ of them: $w^T$. With no step at all the end *is*
# the beginning, so the factor is $w^0 = 1$. A negative $w$ makes the sign alternate.

# %% [markdown] lang="zh"
# 每一步的导数是 $w$，链式法则把 $T$ 个 $w$ 乘起来，得 $w^T$。一步都没有时，终点**就是**起点，倍数是 $w^0 = 1$。$w$ 为负时，符号正负交替。

# %% [markdown] lang="en"
# **Exercise 2.** Write the clip of section 4 yourself. `grads` is a list of arrays, one per parameter. The norm is that
# of all of them together: $\lVert g \rVert = \sqrt{\sum g_i^2}$ over every element of every array. Return a new list,
# and leave the given arrays as they are.

# %% [markdown] lang="zh"
# **练习 2。** 自己实现第 4 节的裁剪。`grads` 是一个数组列表，每个参数一个数组。范数指全部数组合在一起的范数：$\lVert g \rVert = \sqrt{\sum g_i^2}$，对所有数组的所有元素求和。返回一个新列表，不要改动传入的数组。

# %% tags=["exercise"]
def answer(grads, max_norm):
    ### BEGIN SOLUTION
    length = np.sqrt(sum((g ** 2).sum() for g in grads))
    if length <= max_norm:
        return grads
    return [g * (max_norm / length) for g in grads]
    ### END SOLUTION


# %% tags=["check"]
check.clip_norm(answer)

# %% [markdown] lang="en" tags=["solution"]
# There is one norm for all arrays together, and one number that multiplies them all. That is why the direction stays.
# A norm for each array would turn the gradient: for `[[3], [4]]` and a threshold of 2.5 it gives `[[2.5], [2.5]]`.
#
# The test `length <= max_norm` comes first. So a gradient of zeros is returned before anything is divided by its norm.

# %% [markdown] lang="zh"
# 所有数组只有一个共同的范数，也只乘同一个数，所以方向不变。如果每个数组各用各的范数，梯度就会转向：对 `[[3], [4]]` 和阈值 2.5，会得到 `[[2.5], [2.5]]`。
#
# 先判断 `length <= max_norm`，全零的梯度就会直接返回，不会用范数去除。

# %% [markdown] lang="en"
# **Exercise 3.** Any function can be a hook. It gets a dict of arrays, one per parameter, and a context `ctx`, and
# returns a new dict. This one halves the gradient:
#
#     def halve(grads, ctx):
#         return {name: 0.5 * g for name, g in grads.items()}
#
# Write one that *lengthens*, too: keep the direction, and make the norm of all parameters together exactly 1, however
# long the gradient was. `ctx.norm` is its norm; it is right even where the squares of tiny numbers round to 0. A
# gradient of zeros has no direction: leave it alone.

# %% [markdown] lang="zh"
# **练习 3。** 任何函数都可以当钩子。它接收一个字典（每个参数对应一个数组）和一个上下文 `ctx`，返回一个新字典。下面这个钩子把梯度减半：
#
#     def halve(grads, ctx):
#         return {name: 0.5 * g for name, g in grads.items()}
#
# 请写一个也能**放大**的钩子：保持方向，无论梯度原来多长，都让所有参数合起来的范数恰好等于 1。`ctx.norm` 就是梯度的范数，即使元素小到平方后舍入为 0，这个值也算得对。全零的梯度没有方向，原样返回。

# %% tags=["exercise"]
def answer(grads, ctx):
    ### BEGIN SOLUTION
    if ctx.norm == 0:
        return grads
    return {name: g / ctx.norm for name, g in grads.items()}
    ### END SOLUTION


# %% tags=["check"]
check.unit_norm(answer)

# %% [markdown] lang="en" tags=["solution"]
# Divide by the norm, unless it is 0. Written out as $\sqrt{\sum g_i^2}$ the norm would fail for a gradient of
# $10^{-200}$: its square, $10^{-400}$, rounds to 0. `ctx.norm` does not.
#
# Does this hook cure the vanishing gradient of section 5? Every step is now as long as rate times 1, however short the
# gradient was. Try it on the net with a gain of 0.5.

# %% [markdown] lang="zh"
# 除以范数；范数为 0 时除外。如果自己写 $\sqrt{\sum g_i^2}$，遇到 $10^{-200}$ 这样的梯度就会出错：它的平方 $10^{-400}$ 舍入为 0。`ctx.norm` 不会。
#
# 这个钩子能治好第 5 节里消失的梯度吗？现在无论梯度多短，每一步的长度都是学习率乘 1。在增益为 0.5 的网络上试试。

# %% tags=["solution"]
runs = [train(seed, [answer], gain=0.5) for seed in range(4)]
for seed, (_, trace) in enumerate(runs):
    spread = np.ptp(make_net(seed, gain=0.5)(inputs).data)
    norms = trace.column("norm_in", stage=1)[0], trace.column("norm_out", stage=1)[0]
    print(f"seed {seed}: first outputs {spread:.1g} apart; first gradient {norms[0]:.2g}, "
          f"after the hook {norms[1]:.6f}")
learned = [trace.column("loss", stage=0)[-20:].mean() < bar for _, trace in runs]
print(f"{sum(learned)} of {len(learned)} learned the curve")

# %% [markdown] lang="en" tags=["solution"]
# **Found.** The steps are long now, and still nothing is learned. Length was not all that was missing. Look at the
# outputs: at first they are the same for all inputs, up to one part in $10^{14}$. The *signal* has vanished as well, on
# its way forward, and no factor on the gradient brings it back. The nets of section 4, with a gain of 1.5, did learn.

# %% [markdown] lang="zh"
# **结论。** 现在每一步都够长了，却还是什么也没学到。缺的不只是长度。看看输出：刚开始时，所有输入对应的输出都一样，差别不过 $10^{14}$ 分之一。**信号**在前向传播的路上也消失了，给梯度乘什么数都救不回来。第 4 节里增益为 1.5 的网络则学会了。
