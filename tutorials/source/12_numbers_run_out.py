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
# # 12 · Numbers run out
#
# **Goal: know where floating-point numbers end, predict at which layer a gradient meets the end, and move it.**
#
# You need tutorials 06 to 08. Install once, in the folder of the project:
#
#     python -m pip install -e ".[notebook]"
#
# All of it takes about ten seconds: NumPy computes float16 slowly.

# %% [markdown] lang="zh"
# # 12 · 浮点数的尽头
#
# **目标：弄清浮点数的尽头在哪里，预测梯度到第几层会撞上尽头，并学会把尽头移开。**
#
# 需要先学教程 06 到 08。首次使用时，请在项目文件夹中安装：
#
#     python -m pip install -e ".[notebook]"
#
# 全部运行大约需要十秒：NumPy 计算 float16 比较慢。

# %% tags=["setup"]
import math

import matplotlib.pyplot as plt
import numpy as np

import minigrad as mg
from minigrad import check, hooks, nn, optim, tasks, theory

linear, cross_entropy = nn.functional.linear, nn.functional.cross_entropy

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# ## 1. Three ends
#
# A floating-point number has few digits and few powers of two. So it ends in three places: above (*overflow*, to inf),
# below (*underflow*, to 0), and beside (a small number added to a large one is *lost*).

# %% [markdown] lang="zh"
# ## 1. 三个尽头
#
# 浮点数的有效位数有限，能表示的 2 的幂次也有限。所以有三个尽头：上面（**上溢**，变成 inf）、下面（**下溢**，变成 0）和旁边（很小的数加到很大的数上，会**丢失**）。

# %% slideshow={"slide_type": "fragment"}
print("          largest   smallest above 0   largest x with 1 + x = 1")
for kind in (np.float16, np.float32, np.float64):
    end = np.finfo(kind)
    print(f"{kind.__name__:>8}  {end.max:7.1e}   {end.smallest_subnormal:16.1e}   "
          f"{end.eps / 2:24.1e}")

with np.errstate(over="ignore", under="ignore"):
    print("\nin float16:  300 * 300 =", np.float16(300) * np.float16(300),
          "   0.0001 * 0.0001 =", np.float16(1e-4) * np.float16(1e-4),
          "   1 + 0.0004 =", np.float16(1) + np.float16(4e-4),
          "   exp(12) =", np.exp(np.float16(12)))

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** float16 is used because it is small and fast, and its world is tiny: from $2^{-24} = 6 \cdot 10^{-8}$ to
# 65504. Square 300, and you have left it above; square 0.0001, and you have left it below. And a step of 0.0004 does not
# move a weight of 1.
#
# ## 2. At which layer does the gradient become zero?
#
# A net that vanishes, as in tutorial 07: 70 tanh layers, $\sigma_w^2 = 0.7$, $\chi_1 = 0.58$. The entries of
# $\delta$ are nearly Gaussian. At the last layer their standard deviation is $s$, and $d$ layers below it
# $s\,\chi_1^{d/2}$. Whatever is below $2^{-25}$, half of the smallest number, is rounded to 0. So with a factor $S$ on
# the loss the share of zeros should be
#
# $$P\left(|z| < \frac{2^{-25}}{S\, s\, \chi_1^{d/2}}\right) = \mathrm{erf}\left(\frac{2^{-25}}{\sqrt 2\, S\, s\, \chi_1^{d/2}}\right)$$
#
# A half is reached at $d = 2 \ln(0.6745 \cdot 2^{25} S s) / (-\ln \chi_1)$. We measure $s$ once. Nothing else is fitted.

# %% [markdown] lang="zh"
# **结论。** 人们用 float16，是因为又小又快，但表示的范围也很小：从 $2^{-24} = 6 \cdot 10^{-8}$ 到 65504。300 一平方，就从上面出界；0.0001 一平方，就从下面出界。而 0.0004 的一步，推不动大小为 1 的权重。
#
# ## 2. 梯度在第几层变成零？
#
# 取一个梯度消失的网络，与教程 07 相同：70 层 tanh，$\sigma_w^2 = 0.7$，$\chi_1 = 0.58$。$\delta$ 的元素近似服从高斯分布。在最后一层，标准差是 $s$；再往下 $d$ 层，是 $s\,\chi_1^{d/2}$。小于 $2^{-25}$（最小数的一半）的，一律舍入为 0。因此，给损失乘上 $S$ 之后，零的比例应该是
#
# $$P\left(|z| < \frac{2^{-25}}{S\, s\, \chi_1^{d/2}}\right) = \mathrm{erf}\left(\frac{2^{-25}}{\sqrt 2\, S\, s\, \chi_1^{d/2}}\right)$$
#
# 到 $d = 2 \ln(0.6745 \cdot 2^{25} S s) / (-\ln \chi_1)$ 时达到一半。$s$ 只测一次，此外不拟合任何参数。

# %% tags=["setup"]
depth, width, scales = 70, 128, (1, 16, 256)
chi = theory.chi_1("tanh", 0.7, 0.05)


def make_layers(seed):
    """Return the layers of a net that vanishes, with ten classes."""
    rng = np.random.default_rng(seed)
    layers = [nn.Linear(width, width, rng=rng) for _ in range(depth)]
    layers.append(nn.Linear(width, 10, rng=rng))
    for layer in layers:
        nn.init.normal_(layer.weight, std=(0.7 / width) ** 0.5, rng=rng)
        nn.init.normal_(layer.bias, std=0.05 ** 0.5, rng=rng)
    return layers


def deltas(layers, x, labels, scale=1.0):
    """Return scale * dL/dh_k for all layers, in the dtype of x; the loss is at least float32."""
    h, states = mg.tensor(x), []
    for layer in layers[:-1]:
        h = np.tanh(layer(h))
        states.append(h)
    loss = cross_entropy(layers[-1](h).astype(np.promote_types(x.dtype, np.float32)), labels)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return np.array([g.data for g in mg.grad(scale * loss, states)])


def predicted_zeros(scale, s):
    """Return the share of zeros that is expected at layers 1 to 70."""
    back = np.arange(depth - 1, -1, -1)
    return np.array([math.erf(2.0 ** -25 / (2 ** 0.5 * scale * s * chi ** (d / 2))) for d in back])


# %%
zeros, cosines, tops, exact = {scale: [] for scale in scales}, {}, [], {}
for seed in range(4):
    rng = np.random.default_rng(100 + seed)
    layers, x, labels = make_layers(seed), rng.normal(size=(32, width)), rng.integers(10, size=32)
    exact = deltas(layers, x, labels)                               # in float64
    tops.append(exact[-1].std())
    for scale in scales:
        with np.errstate(under="ignore"):
            zeros[scale].append([(d == 0).mean() for d in (scale * exact).astype(np.float16)])
for layer in layers:
    layer.half()                                                    # the last net, all in float16
for scale in scales:
    half = deltas(layers, x.astype(np.float16), labels, scale).astype(float)
    lengths = np.sqrt((half ** 2).sum(axis=(1, 2)) * (exact ** 2).sum(axis=(1, 2)))
    lengths = np.where(lengths > 0, lengths, 1)                     # 0 / 0 is 0
    cosines[scale] = (half * exact).sum(axis=(1, 2)) / lengths
s = np.mean(tops)

print(f"standard deviation of delta at the last layer: {s:.4f}")
print("scale   zeros, all layers   predicted   half zero, layers below the loss   predicted")
for scale in scales:
    share, expected = np.mean(zeros[scale], axis=0), predicted_zeros(scale, s)
    measured = depth - np.interp(-0.5, -share, np.arange(1, depth + 1))
    law = 2 * math.log(0.6745 * 2 ** 25 * scale * s) / -math.log(chi)
    print(f"{scale:5d}   {share.mean():17.2f}   {expected.mean():9.2f}   "
          f"{measured:32.0f}   {law:9.0f}")

# %% slideshow={"slide_type": "slide"}
colours = dict(zip(scales, ("#D55E00", "#009E73", "#0072B2")))
back = np.arange(depth - 1, -1, -1)
with mg.plot.styled():
    _, (left, right) = plt.subplots(1, 2, figsize=(10, 4), dpi=90, layout="constrained",
                                    sharey=True)
    for scale in scales:
        left.plot(back, np.mean(zeros[scale], axis=0), color=colours[scale], lw=2.2,
                  label=f"S = {scale}")
        left.plot(back, predicted_zeros(scale, s), "k--", lw=1.2,
                  label="predicted" if scale == 256 else None)
        right.plot(back, cosines[scale], color=colours[scale], lw=2.2)
    left.axhline(0.5, color="#777777", lw=0.8)
    left.set(title="share of zeros in delta, as float16", xlabel="layers below the loss",
             ylim=(-0.03, 1.03))
    right.set(title="cosine with the float64 gradient, net in float16",
              xlabel="layers below the loss")
    left.legend()
plt.show()

# %% [markdown] lang="en" slideshow={"slide_type": "fragment"}
# **What to see.** The loss is at the left. *Left:* for some 30 layers nothing is lost, and within 20 more it is all gone.
# Dashed is the formula; it knows $\chi_1$, and $s$. Each factor of 16 on the loss moves the curve by
# $2 \ln 16 / (-\ln \chi_1) \approx 10$ layers, and so we are back at $\delta$ of tutorial 07: scaling a loss buys layers
# by the logarithm, and what vanishes goes on vanishing. (The curves come a little early: a net of 128 units vanishes
# faster than an infinite one.) *Right:* the direction of the gradient is sound as long as most numbers are there. Then
# it falls, and some twenty layers on nothing of it is left. What comes out there is no gradient any more.
#
# ## 3. A window
#
# `scale * loss` multiplies every gradient by the same number, and afterwards one divides by it. For powers of two that
# rounds nothing. Why not take $2^{40}$, then? Move the scale:

# %% [markdown] lang="zh"
# **看什么。** 损失在左端。**左**：前三十来层几乎什么也没丢，再过二十层就全没了。虚线是上面的公式，只用到 $\chi_1$ 和 $s$。损失每乘以 16，曲线就移动 $2 \ln 16 / (-\ln \chi_1) \approx 10$ 层。于是我们又回到了教程 07 的 $\delta$：放大损失，只能按对数换来几层，该消失的照样消失。（实测曲线来得略早：128 个神经元的网络比无限宽的网络消失得快。）**右**：只要大多数元素还没变成 0，梯度的方向就可靠。之后便一路跌落，再过二十来层就荡然无存，那里算出来的已经不是梯度了。
#
# ## 3. 一个窗口
#
# `scale * loss` 给所有梯度乘上同一个数，之后再除回去。这个数取 2 的幂，就不会带来任何舍入。那为什么不干脆取 $2^{40}$？移动一下这个缩放系数（scale）看看：

# %% slideshow={"slide_type": "subslide"}
def window(log2_scale, ax):
    """Draw the shares of zeros and infs in the last net's gradient, scaled and made float16."""
    with np.errstate(over="ignore", under="ignore"):
        scaled = (2.0 ** log2_scale * exact).astype(np.float16)
    ax.plot(back, (scaled == 0).mean(axis=(1, 2)), color="#0072B2", label="0")
    ax.plot(back, np.isinf(scaled).mean(axis=(1, 2)), color="#D55E00", label="inf")
    ax.set(xlabel="layers below the loss", ylabel="share", ylim=(-0.05, 1.05))
    ax.legend(loc="upper left", fontsize=9)


mg.plot.explore(window, log2_scale=(0, 40, 2), panels=6, start=16)
plt.show()

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** Too small, and the far layers are 0; too large, and the near layers are inf. Between, here from about $2^{16}$
# to $2^{24}$, lies the window. float16 has 40 powers of two in all: a gradient that spreads over more has no window.
#
# ## 4. Training in float16
#
# Who chooses the scale? A `LossScaler` does it while the net trains:
#
# * it multiplies the loss: `scaler.scale(loss).backward()`;
# * the hook `Unscale` divides the gradient, in float32, where small numbers have room;
# * a gradient that is not finite is skipped, and the scale is halved; after `interval` good ones it is doubled.
#
# The weights stay in float32 (*master weights*), for the third end: a small step would be lost in a float16 weight. The
# net learns digits, with a loss that counts $10^{-6}$ only, as a part of a larger loss may. The rate makes up for it: in
# float64 it is all the same.

# %% [markdown] lang="zh"
# **结论。** 太小，远处的层变成 0；太大，近处的层变成 inf。两者之间就是可用的窗口，这里大约从 $2^{16}$ 到 $2^{24}$。float16 总共只有 40 个 2 的幂次：梯度的跨度超过这么多，就没有窗口。
#
# ## 4. 用 float16 训练
#
# 缩放系数由谁来定？`LossScaler` 在训练中自己找：
#
# * 放大损失：`scaler.scale(loss).backward()`；
# * 钩子 `Unscale` 在 float32 中把梯度除回来，那里容得下很小的数；
# * 梯度中有非有限值，就跳过这一步，系数减半；连续 `interval` 次正常，系数就加倍。
#
# 权重保持 float32（**主权重**，master weights），防的是第三个尽头：对 float16 的权重，很小的一步会丢失。网络学习手写数字，而损失只占 $10^{-6}$ 的分量，就像一个大损失中的一小项。学习率相应放大，把它补回来：在 float64 中，两者毫无差别。

# %% slideshow={"slide_type": "subslide"}
digits, unseen = tasks.digits("train"), tasks.digits("test")
pixels, unseen_pixels = (2 * d.x.reshape(len(d), -1) - 1 for d in (digits, unseen))
WEIGHT = 1e-6


def train(seed, scaler=None, half=True, updates=100, lr=0.3):
    """Train 3 layers; return the share right, that of zeros in the first gradient, the trace."""
    rng, trace, lost = np.random.default_rng(seed), mg.NormTrace(), []
    layers = nn.ModuleList([nn.Linear(i, o, rng=rng) for i, o in ((64, 32), (32, 32), (32, 10))])
    layers.float() if half else layers.double()                 # master weights in float32

    def forward(x):
        h = mg.tensor(x).half() if half else mg.tensor(x)
        for k, layer in enumerate(layers):
            w, b = (p.half() if half else p for p in (layer.weight, layer.bias))
            h = linear(np.tanh(h) if k else h, w, b)
        return h.float() if half else h

    own = [] if scaler is None else [hooks.Unscale(scaler)]
    own.append(hooks.NonFinite("skip", max_consecutive=math.inf))
    opt = optim.SGD(layers.parameters(), lr=lr / WEIGHT, hooks=own, trace=trace)
    for _ in range(updates):
        chosen = rng.integers(len(pixels), size=32)
        opt.zero_grad()
        loss = WEIGHT * cross_entropy(forward(pixels[chosen]), digits.y[chosen])
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            (loss if scaler is None else scaler.scale(loss)).backward()
        lost.append((layers[0].weight.grad.data == 0).mean())
        opt.step(loss=loss)
    with mg.no_grad():
        return (forward(unseen_pixels).data.argmax(axis=1) == unseen.y).mean(), lost[0], trace


def static(scale):
    return lambda: hooks.LossScaler(scale, dynamic=False)


plans = {"float64": None, "float16": lambda: None, "float16, scale 2^10": static(2.0 ** 10),
         "float16, scale 2^44": static(2.0 ** 44),
         "float16, dynamic from 2^44": lambda: hooks.LossScaler(2.0 ** 44)}
for name, plan in plans.items():
    runs = [train(seed, plan and plan(), half=plan is not None) for seed in range(3)]
    skipped = "  ".join(f"{(run[2].column('outcome', stage=0) == 'skip').sum():3d}" for run in runs)
    right = "  ".join(f"{run[0]:.1f}" for run in runs)
    print(f"{name:28}   right: {right}   zeros at first: {runs[0][1]:4.0%}   "
          f"skipped, of 100: {skipped}")

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** In float64 a small weight on the loss changes nothing. In float16 every number of the first gradient is 0, and
# nothing is learned. A fixed scale helps if it is in the window; if it is too large, every step is skipped, and nothing
# is learned either. The dynamic one begins as badly, skips six steps, and has found its place.
#
# ## 5. The first NaN
#
# A loss shows NaN. By then everything is NaN. Where did it begin? Three questions, three instruments:
#
# * *Which update?* `NonFinite("raise")` stops at the first gradient that is not finite, before anything is changed. The
#   trace has the norms up to there.
# * *Which parameter?* The message names them. But backward carries a NaN from the loss to all layers before it.
# * *Which layer?* So look *forward*: a hook on each module sees what it returns. The first that is not finite is it.
#
# A ReLU net of six layers, all in float16, with a rate that is much too high:

# %% [markdown] lang="zh"
# **结论。** 在 float64 中，损失的分量再小也无所谓。在 float16 中，第一个梯度的每个数都是 0，什么也学不到。固定的缩放系数只要落在窗口里就管用；太大，则每一步都被跳过，同样什么也学不到。动态的缩放系数起步一样糟，跳过六步之后，就找到了合适的位置。
#
# ## 5. 第一个 NaN
#
# 损失变成了 NaN。这时一切都已经是 NaN。NaN 是从哪里开始的？三个问题，三种仪表：
#
# * **哪一次更新？** `NonFinite("raise")` 在梯度第一次出现非有限值时停下，什么都还没改。记录里有到此为止的范数。
# * **哪个参数？** 报错信息会列出来。但反向传播把 NaN 从损失带到了前面的所有层。
# * **哪一层？** 所以要沿**前向**找：在每个模块上挂一个钩子，检查它的输出。第一个输出非有限值的模块就是源头。
#
# 六层 ReLU 网络，全部用 float16，学习率高得离谱：

# %% slideshow={"slide_type": "subslide"}
def hunt(seed, lr=2.0):
    """Train until a gradient is not finite.

    Return the error, the largest output of each module, and the trace.
    """
    rng, trace, sizes = np.random.default_rng(seed), mg.NormTrace(), {}
    blocks = [m for k in range(6) for m in (nn.Linear(32 if k else 64, 32, rng=rng), nn.ReLU())]
    net = nn.Sequential(*blocks, nn.Linear(32, 10, rng=rng))
    for layer in net[::2]:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", rng=rng)
        nn.init.zeros_(layer.bias)
    net.half()
    for name, module in net.named_children():
        module.register_forward_hook(
            lambda m, args, out, name=name: sizes.update({name: abs(out.data).max()}))
    opt = optim.SGD(net.named_parameters(), lr=lr, hooks=[hooks.NonFinite("raise")], trace=trace)
    try:
        for _ in range(100):
            chosen = rng.integers(len(pixels), size=64)
            opt.zero_grad()
            with np.errstate(over="ignore", invalid="ignore"):
                answers = net(mg.tensor(pixels[chosen]).half())
                loss = cross_entropy(answers.float(), digits.y[chosen])
                loss.backward()
            opt.step(loss=loss)
    except FloatingPointError as error:
        return str(error), sizes, trace


for seed in range(3):
    error, sizes, trace = hunt(seed)
    first = next(name for name, size in sizes.items() if not np.isfinite(size))
    norms = trace.column("norm_in", stage=0)
    print(f"seed {seed}: {error[:96]} ...")
    print(f"   gradient norms:  {'  '.join(f'{v:.0e}' for v in norms)}")
    print(f"   largest outputs: {'  '.join(f'{k}: {v:.0e}' for k, v in list(sizes.items())[::2])}")
    print(f"   first not finite on the way forward: module {first}")

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** *Update:* within ten, and the norms warned: one update before the end each leaps more than tenfold.
# *Parameter:* of little use; where the loss is NaN, all parameters are. *Layer:* one module, on the way forward, where a
# number had to pass 65504. (A module that gives -inf may be missed by those who look at the loss: the ReLU behind it
# makes a tidy 0 of it.) A clip would have come too late here: it shortens a gradient that is there, and NaN times
# anything is NaN.

# %% [markdown] lang="zh"
# **结论。** **更新**：十次以内，而且范数已经预警：结束前一次更新，范数每次都猛增十倍以上。**参数**：没什么用，损失一旦是 NaN，所有参数的梯度都是。**层**：前向路上的某一个模块，那里有个数越过了 65504。（如果某个模块给出 -inf，只看损失的人可能会漏掉：后面的 ReLU 会把它变成一个干净的 0。）在这里，裁剪已经来不及：它只能缩短还在的梯度，而 NaN 乘什么都是 NaN。

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# ## Your turn
#
# **Exercise 1.** Return the largest power of two, $S = 2^k$ with whole $k$ (it may be negative), for which no entry of
# `S * grad` becomes inf in float16. `grad` is a float64 array with some entry other than 0. Convert with
# `.astype(np.float16)`.

# %% [markdown] lang="zh"
# ## 练习
#
# **练习 1。** 返回最大的 2 的幂 $S = 2^k$（$k$ 为整数，可以为负），使 `S * grad` 在 float16 中没有一个元素变成 inf。`grad` 是 float64 数组，至少有一个元素不为 0。用 `.astype(np.float16)` 转换。

# %% tags=["exercise"]
def answer(grad):
    ### BEGIN SOLUTION
    scale = 2.0 ** -40
    while np.isfinite((2 * scale * grad).astype(np.float16)).all():
        scale *= 2
    return scale
    ### END SOLUTION


# %% tags=["check"]
check.largest_scale(answer)

# %% [markdown] lang="en" tags=["solution"]
# Begin far down, and double as long as all numbers stay finite. Or in one line, from the largest entry $m$:
# $k = \lfloor \log_2(65520 / m) \rfloor$, less a rounding: from 65520 on numbers round to inf, not to 65504. This is the
# upper end of the window of section 3; a `LossScaler` finds it by trying.

# %% [markdown] lang="zh"
# 从很小的数开始，只要所有数仍是有限的，就加倍。也可以由最大的元素 $m$ 一步算出：$k = \lfloor \log_2(65520 / m) \rfloor$（注意边界：从 65520 起，数会舍入为 inf，而不是 65504）。这就是第 3 节那个窗口的上端；`LossScaler` 是靠试探找到它的。

# %% [markdown] lang="en"
# **Exercise 2.** Write the rule of section 4. `scale` is the scale now, `count` says how many finite gradients there have
# been since it last changed, `finite` whether this one is finite. Return the pair (scale, count) after it: halve after
# one that is not finite, double when the count reaches `interval`; after either the count begins at 0.

# %% [markdown] lang="zh"
# **练习 2。** 实现第 4 节的规则。`scale` 是当前的缩放系数，`count` 是上次改变以来有限梯度的个数，`finite` 表示这一次的梯度是否有限。返回处理这一次之后的 (scale, count)：非有限就减半；计数达到 `interval` 就加倍；两种情况之后，计数都从 0 重新开始。

# %% tags=["exercise"]
def answer(scale, count, finite, interval):
    ### BEGIN SOLUTION
    if not finite:
        return scale / 2, 0
    if count + 1 == interval:
        return scale * 2, 0
    return scale, count + 1
    ### END SOLUTION


# %% tags=["check"]
check.scaler_rule(answer)

# %% [markdown] lang="en" tags=["solution"]
# This gradient counts as well: it is the one that makes the count reach the interval. The scale goes down at once and up
# slowly, so that few steps are lost; near the upper end of the window it is tried again every `interval` steps.

# %% [markdown] lang="zh"
# 这一次的梯度也要计数：正是它使计数达到 interval。系数降得快、升得慢，所以白费的步数很少；在窗口上端附近，每隔 `interval` 步会再试一次。

# %% [markdown] lang="en"
# **Exercise 3.** Cross-entropy needs $\ln \sum_i e^{a_i}$. In float16 $e^{12}$ is inf, as section 1 shows, and in float64
# $e^{-1000}$ is 0; yet the result is an ordinary number. For every $m$,
#
# $$\ln \sum_i e^{a_i} = m + \ln \sum_i e^{a_i - m}$$
#
# Choose $m$ well, and return the result for a vector `a`. Do not convert it: it must work in the dtype of `a`.

# %% [markdown] lang="zh"
# **练习 3。** 交叉熵要计算 $\ln \sum_i e^{a_i}$。第 1 节说过，在 float16 中 $e^{12}$ 是 inf；在 float64 中 $e^{-1000}$ 是 0。可结果却是一个普通的数。对任意 $m$，
#
# $$\ln \sum_i e^{a_i} = m + \ln \sum_i e^{a_i - m}$$
#
# 选一个合适的 $m$，返回向量 `a` 对应的结果。不要转换类型：必须在 `a` 自己的 dtype 中算对。

# %% tags=["exercise"]
def answer(a):
    ### BEGIN SOLUTION
    m = a.max()
    return m + np.log(np.exp(a - m).sum())
    ### END SOLUTION


# %% tags=["check"]
check.log_sum_exp(answer)

# %% [markdown] lang="en" tags=["solution"]
# With $m$ the largest entry every exponent is at most 0, so nothing overflows; and one of them is exactly 0, so the sum
# is at least 1, and its logarithm cannot be that of 0. What underflows in the sum is too small to count. The derivative
# is the softmax, and is safe by the same shift.

# %% [markdown] lang="zh"
# 取 $m$ 为最大的元素，则每个指数都不超过 0，不会上溢；其中一个恰好是 0，所以和至少是 1，不会对 0 取对数。和式中下溢的项小到可以忽略。导数就是 softmax，用同样的平移，计算也就安全了。
