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
# # 03 · One number, many times
#
# **Goal: know the law $w^T$ so well that you can say beforehand where a gradient explodes, where it vanishes, and at
# which step it leaves the range of floating-point numbers.** One number is enough for that. All that comes later,
# matrices and recurrent nets, is this law with more directions.
#
# You need tutorial 00 or 01. Install once, in the folder of the project:
#
#     python -m pip install -e ".[notebook]"
#
# Run the cells from top to bottom. All of it takes about five seconds. Three exercises at the end check themselves.

# %% [markdown] lang="zh"
# # 03 · 一个数，反复相乘
#
# **目标：吃透 $w^T$ 这条规律，能够事先说出梯度在哪里爆炸、在哪里消失、在第几步超出浮点数的范围。** 要弄懂这些，一个数就够了。后面的矩阵和循环神经网络也都是这条规律，只是方向更多。
#
# 需要先学教程 00 或 01。首次使用时，请在项目文件夹中安装：
#
#     python -m pip install -e ".[notebook]"
#
# 从上到下依次运行各个单元格，全部大约需要五秒。最后有三道自动批改的练习。

# %% tags=["setup"]
import math

import matplotlib.pyplot as plt
import numpy as np

import minigrad as mg
from minigrad import check

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# ## 1. A straight line
#
# The chain is $h_{t+1} = w\,h_t$, and the loss is its end, $L = h_T$. Each step back multiplies by $w$, so
#
# $$\frac{dL}{dh_0} = w^T, \qquad \log_{10} \left|\frac{dL}{dh_0}\right| = T \log_{10} |w|$$
#
# On a logarithmic scale that is a straight line over $T$, with the slope $\log_{10} |w|$. One backward pass through a
# chain of $T$ steps shows the whole line: at $h_{T-k}$ stands $w^k$. We begin at $h_0 = 0$. Then every $h_t$ is 0, and
# the gradient does not care.

# %% [markdown] lang="zh"
# ## 1. 一条直线
#
# 链为 $h_{t+1} = w\,h_t$，损失就是末端，$L = h_T$。每往回一步乘一个 $w$，于是
#
# $$\frac{dL}{dh_0} = w^T, \qquad \log_{10} \left|\frac{dL}{dh_0}\right| = T \log_{10} |w|$$
#
# 在对数坐标下，这是一条关于 $T$ 的直线，斜率为 $\log_{10} |w|$。在 $T$ 步的链上做一次反向传播，就能看到整条直线：$h_{T-k}$ 处的梯度是 $w^k$。我们从 $h_0 = 0$ 开始，这样每个 $h_t$ 都是 0，而梯度毫不在意。

# %%
def gradients(w, T, dtype=np.float64):
    """Return |dh_T / dh_(T-k)| for k = 0 ... T, measured on the tape."""
    h = mg.tensor(np.zeros((), dtype), requires_grad=True)
    states = [h]
    for _ in range(T):
        states.append(dtype(w) * states[-1])
    with np.errstate(over="ignore"):                # we are going to drive it out of range
        grads = mg.grad(states[-1], states)
    return np.array([abs(g.data) for g in reversed(grads)])


print("    w   slope of the line, measured   predicted log10 w   |dL/dh_0| for T = 100")
for w in (0.5, 0.9, 0.99, 1.0, 1.01, 1.1, 1.5):
    line = np.log10(gradients(w, 100))
    slope = (line[-1] - line[0]) / 100
    print(f"{w:5.2f}   {slope:27.6f}   {math.log10(w):17.6f}   {10 ** line[-1]:21.3e}")

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** Measured and predicted slopes are the same. Only $w = 1$ is flat.
#
# ## 2. The weight itself
#
# Training does not change $h_0$. It changes $w$, and $w$ is used $T$ times. Each use adds its share to the gradient, and
# here all shares are equal:
#
# $$\frac{dL}{dw} = \sum_{t=0}^{T-1} \frac{dL}{dh_{t+1}}\,h_t = \sum_{t=0}^{T-1} w^{T-1-t}\;w^t h_0 = T\,w^{T-1} h_0$$
#
# How much does a tiny step of $w$ do then? Take $w = 1.1$ and $T = 100$, and move $w$ by one per cent.

# %% [markdown] lang="zh"
# **结论。** 实测斜率与预测一致。只有 $w = 1$ 时是平的。
#
# ## 2. 权重本身
#
# 训练改变的不是 $h_0$，而是 $w$，而 $w$ 用了 $T$ 次。每用一次，就为梯度贡献一份，这里每一份都相等：
#
# $$\frac{dL}{dw} = \sum_{t=0}^{T-1} \frac{dL}{dh_{t+1}}\,h_t = \sum_{t=0}^{T-1} w^{T-1-t}\;w^t h_0 = T\,w^{T-1} h_0$$
#
# 那么 $w$ 变一点点，会有多大影响？取 $w = 1.1$，$T = 100$，让 $w$ 改变百分之一。

# %%
def end(w, T=100):
    """Return h_T, from h_0 = 1."""
    h = 1.0
    for _ in range(T):
        h = w * h
    return h


for w in (0.9, 1.0, 1.1):
    tensor = mg.tensor(w, requires_grad=True)
    end(tensor).backward()
    print(f"w = {w}: h_T {end(w):.4g}, dL/dw {tensor.grad.item():.6g}, "
          f"predicted T w^(T-1) {100 * w ** 99:.6g}")

step = 0.011
print(f"\nw = 1.1 moved by {step}: the gradient promises {step * 100 * 1.1 ** 99:.4g}, "
      f"h_T really changes by {end(1.1 + step) - end(1.1):.4g}")

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** The gradient of the shared weight is $T\,w^{T-1} h_0$: the same exponential, with a factor $T$ on top. And the
# step shows a second trouble. One per cent of $w$ changes the end by 170 per cent, and the straight line that the
# gradient draws is wrong by a factor of 1.7 already. Where gradients explode, the *curvature* does, too.
#
# ## 3. Where the numbers run out
#
# A float32 ends at $3.4 \cdot 10^{38}$, a float64 at $1.8 \cdot 10^{308}$; beyond that stands `inf`. So the gradient
# is `inf` from the first $T$ with $w^T > \text{max}$ on, that is
#
# $$T > \frac{\log(\text{max})}{\log w}$$
#
# And at the other end? The smallest *normal* float32 is $1.2 \cdot 10^{-38}$. Below it come the *subnormal* numbers: they
# have a fixed spacing, $1.4 \cdot 10^{-45}$, and lose a digit with each power of ten. What do you expect from a vanishing
# gradient: zero in the end?

# %% [markdown] lang="zh"
# **结论。** 共享权重的梯度是 $T\,w^{T-1} h_0$：同样是指数，只多一个因子 $T$。这一小步还暴露了第二个麻烦：$w$ 改变百分之一，末端改变了百分之一百七十，而梯度给出的那条直线已经差了 1.7 倍。梯度爆炸的地方，**曲率**也在爆炸。
#
# ## 3. 浮点数到哪里为止
#
# float32 的上限是 $3.4 \cdot 10^{38}$，float64 的上限是 $1.8 \cdot 10^{308}$，再往上就是 `inf`。所以从第一个满足 $w^T > \text{max}$ 的 $T$ 起，梯度就是 `inf`，也就是
#
# $$T > \frac{\log(\text{max})}{\log w}$$
#
# 另一端呢？最小的**规格化** float32 是 $1.2 \cdot 10^{-38}$，比这更小的是**非规格化数**（subnormal）：间距固定为 $1.4 \cdot 10^{-45}$，每小十倍就丢掉一位有效数字。你猜，消失的梯度最后会变成零吗？

# %% slideshow={"slide_type": "subslide"}
print("dtype       w   first T with inf: measured   predicted")
for dtype, w, T in [(np.float32, 1.5, 300), (np.float32, 1.1, 1000),
                    (np.float64, 1.5, 2000), (np.float64, 1.1, 8000)]:
    measured = np.isinf(gradients(w, T, dtype)).argmax()
    predicted = math.floor(math.log(np.finfo(dtype).max) / math.log(w)) + 1
    print(f"{dtype.__name__}   {w}   {measured:26d}   {predicted:9d}")

# %%
tiny = float(np.finfo(np.float32).smallest_subnormal)
print("   w   first subnormal T   after 12000 steps   in units of 1.4e-45   ever 0?")
for w in (0.4, 0.5, 0.6, 0.9, 0.99):
    values = gradients(w, 12000, np.float32)
    subnormal = (values < np.finfo(np.float32).tiny).argmax()
    zero = f"from T = {(values == 0).argmax()}" if values[-1] == 0 else "never"
    print(f"{w:4.2f}   {subnormal:17d}   {values[-1]:17.1e}   {values[-1] / tiny:19.0f}   {zero}")

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** `inf` comes at the very step that the formula names. Zero does not always come! From 0.6 on the gradient
# *gets stuck*. The reason is rounding: $0.9 \cdot 4$ units are $3.6$, and the nearest whole number of units is 4 again.
# So a gradient that is not zero may still carry no information at all.
#
# Now all in one picture.

# %% [markdown] lang="zh"
# **结论。** `inf` 恰好出现在公式所说的那一步。零却不一定出现！从 $w = 0.6$ 起，梯度**卡住**了。原因是舍入：$0.9$ 乘 4 个单位等于 $3.6$ 个单位，舍入到整数又是 4 个。所以，梯度不为零，也可能不携带任何信息。
#
# 现在把一切放进一张图。

# %% slideshow={"slide_type": "slide"}
T = 300
steps = np.arange(T + 1)
fan = (2.0, 1.5, 1.2, 1.05, 1.0, 0.95, 0.8, 0.6, 0.5)
with mg.plot.styled():
    _, ax = plt.subplots(figsize=(9, 5.2), dpi=100, layout="constrained")
    for w, colour in zip(fan, plt.get_cmap("coolwarm_r")(np.linspace(0, 1, len(fan)))):
        values = gradients(w, T, np.float32).astype(float)
        there = np.isfinite(values) & (values > 0)
        exponent = np.log10(values, where=there, out=np.full(T + 1, np.nan))
        ax.plot(steps, exponent, color=colour, lw=4)
        ax.plot(steps, steps * math.log10(w), "--", color="k", lw=1)
        last = np.flatnonzero(there)[-1]
        if last < T:
            ax.plot(last, exponent[last], "X", color=colour, markersize=11, markeredgecolor="k")
        ax.annotate(f"w = {w:g}", (last + 5, exponent[last]), va="center", fontsize=10,
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})
    limits = np.finfo(np.float32)
    for level, text in ((limits.max, "largest float32"), (limits.tiny, "smallest normal float32"),
                        (tiny, "smallest float32")):
        ax.axhline(math.log10(level), color="#D55E00", ls=":", lw=1.4)
        ax.annotate(text, (3, math.log10(level) + 1), fontsize=9, color="#D55E00")
    ax.set(xlim=(0, T + 32), ylim=(-56, 50), xlabel="T", ylabel="log10 |dL/dh_0|",
           title="The fan: measured in float32 (solid), T log10 w (dashed)")
plt.show()

# %% [markdown] lang="en" slideshow={"slide_type": "fragment"}
# **What to see.** Every solid line follows its dashed one, $T \log_{10} w$, as long as there are numbers. Crosses mark the
# last number: above, 2 and 1.5 turn into `inf`; below, 0.5 turns into 0. But 0.6 runs into the floor and goes on along
# it, far above its dashed line. Even the lines for 0.95 and 1.05 are thirteen powers of ten apart at $T = 300$. How
# near to 1 must $w$ be?
#
# ## 4. The window
#
# The gradient stays between $1/f$ and $f$ if $T\,|\log w| \le \log f$, that is for $f^{-1/T} \le w \le f^{1/T}$. For
# large $T$ this is nearly $1 \pm \ln f / T$, since $(1 + c/T)^T \to e^c$.

# %% [markdown] lang="zh"
# **看什么。** 只要还有数可用，每条实线（float32 实测）都与自己的虚线 $T \log_{10} w$ 重合。三条橙色点线自上而下是 float32 的最大数、最小的规格化数和最小的正数；叉号标出最后一个可用的数：上方的 2 和 1.5 变成 `inf`，下方的 0.5 变成 0。而 0.6 撞上地板，沿着地板继续走，远在自己的虚线之上。即便是 0.95 和 1.05，到 $T = 300$ 时也已相差十三个数量级。$w$ 要离 1 多近才行？
#
# ## 4. 窗口
#
# 要让梯度保持在 $1/f$ 和 $f$ 之间，须有 $T\,|\log w| \le \log f$，即 $f^{-1/T} \le w \le f^{1/T}$。$T$ 很大时，这个区间约为 $1 \pm \ln f / T$，因为 $(1 + c/T)^T \to e^c$。

# %%
print("    T   w for 1/10   measured   w for 10   measured    width   2 ln(10) / T")
for T in (10, 100, 1000):
    low, high = 0.1 ** (1 / T), 10 ** (1 / T)
    short, long = gradients(low, T)[-1], gradients(high, T)[-1]
    print(f"{T:5d}   {low:10.5f}   {short:8.4f}   {high:8.5f}   {long:8.4f}   {high - low:.4f}   "
          f"{2 * math.log(10) / T:12.4f}")

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** The window closes like $1/T$. With a thousand steps $w$ must be right to two parts in a thousand. A step of
# one per cent, as in section 2, leads out of it.
#
# ## 5. A tanh in the loop
#
# Real nets squash: $h_{t+1} = \tanh(w\,h_t)$. Forward that saves us: no $h$ passes 1. Backward each step has the factor
# $w\,(1 - h_{t+1}^2)$. Does it save the gradient, too? We start at $h_0 = 0.01$. Where $w > 1$ the state settles at
# $h^* = \tanh(w h^*)$; `mg.theory.latch(w)` knows that point, and the factor $w\,(1 - h^{*2})$ there.

# %% [markdown] lang="zh"
# **结论。** 窗口按 $1/T$ 收窄。一千步时，$w$ 要准到千分之二。像第 2 节那样改变百分之一，就已经出了窗口。
#
# ## 5. 循环里加上 tanh
#
# 真正的网络会把数值压缩：$h_{t+1} = \tanh(w\,h_t)$。前向传播因此得救：没有哪个 $h$ 会超过 1。反向传播时，每一步的因子是 $w\,(1 - h_{t+1}^2)$。梯度也得救了吗？从 $h_0 = 0.01$ 出发。$w > 1$ 时，状态停在 $h^* = \tanh(w h^*)$；`mg.theory.latch(w)` 给出这一点，以及那里的因子 $w\,(1 - h^{*2})$。

# %% slideshow={"slide_type": "subslide"}
def with_tanh(w, ax):
    """Draw |dh_T/dh_0| over T, with the tanh and without, and the slope at the resting place."""
    sizes, h, g = [1.0], 0.01, 1.0
    for _ in range(40):
        x = mg.tensor(h, requires_grad=True)
        y = np.tanh(w * x)
        g *= mg.grad(y, x).item()                   # one factor of the chain rule, from the tape
        h = y.item()
        sizes.append(g)
    T = np.arange(41)
    ax.semilogy(T, sizes, lw=2.5, label="measured, with tanh")
    ax.semilogy(T, w ** T.astype(float), "k--", lw=1, label="w^T, without")
    ax.semilogy(T, sizes[-1] * mg.theory.latch(w).factor ** (T - 40.0), "--", color="#D55E00",
                lw=1.2, label="slope predicted at rest")
    ax.set(xlabel="T", ylabel="|dh_T/dh_0|", ylim=(1e-20, 1e20),
           yticks=10.0 ** np.arange(-15, 16, 5), title=f"h ends at {h:.3f}")
    ax.legend(loc="upper left", fontsize=9)


mg.plot.explore(with_tanh, w=(0.5, 3.0, 0.1), panels=6)
plt.show()

# %% [markdown] lang="en" slideshow={"slide_type": "fragment"}
# **What to see.** At 0.5 the tanh changes nothing: the state is small, all three lines are one. Above 1 the measured line
# first climbs with $w^T$ (black), as long as $h$ is small; then $h$ saturates, and the line turns down, along the
# predicted slope (orange). The larger $w$, the earlier it turns and the steeper it falls.
#
# **Found.** The tanh saves the *values*, and turns exploding into a short explosion followed by vanishing. A unit that
# rests at $h^*$ remembers one bit, and lets no gradient through. Tutorial 05 shows what a whole recurrent net makes of it.

# %% [markdown] lang="zh"
# **看什么。** $w = 0.5$ 时，tanh 不起作用：状态很小，三条线重合。$w$ 大于 1 时，只要 $h$ 还小，实测曲线（蓝）先随 $w^T$（黑色虚线）上升；随后 $h$ 饱和，曲线掉头向下，沿着预测的斜率（橙色虚线）走。$w$ 越大，掉头越早，跌得越陡。
#
# **结论。** tanh 救了**数值**，却把爆炸变成先短暂爆炸、后消失。停在 $h^*$ 的神经元记住了一个比特，却不让梯度通过。整个循环神经网络会怎样，见教程 05。

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# ## Your turn
#
# Replace `raise NotImplementedError` and run the cell below it.
#
# **Exercise 1.** The first overflow. For $w > 1$, return the smallest whole number $T \ge 0$ with $w^T >$ `largest`.

# %% [markdown] lang="zh"
# ## 练习
#
# 把 `raise NotImplementedError` 换成你的代码，再运行下面的单元格。
#
# **练习 1。** 第一次上溢。对 $w > 1$，返回满足 $w^T >$ `largest` 的最小整数 $T \ge 0$。

# %% tags=["exercise"]
def answer(w, largest):
    ### BEGIN SOLUTION
    T, power = 0, 1.0
    while power <= largest:
        power *= w
        T += 1
    return T
    ### END SOLUTION


# %% tags=["check"]
check.first_overflow(answer)

# %% [markdown] lang="en" tags=["solution"]
# The loop does what the chain does: multiply until it is too large. The closed form is
# `math.floor(math.log(largest) / math.log(w)) + 1`. The `floor(...) + 1` is for the case of equality: with $w = 2$ and a
# largest number of 8, $2^3 = 8$ still fits, so the answer is 4. `ceil` and `round` get that one wrong.

# %% [markdown] lang="zh" tags=["solution"]
# 这个循环和链做的事一样：一直乘，直到太大。闭式解是 `math.floor(math.log(largest) / math.log(w)) + 1`。写成 `floor(...) + 1` 是为了相等的情形：$w = 2$，最大数为 8，$2^3 = 8$ 还放得下，答案是 4。`ceil` 和 `round` 在这里都会出错。

# %% [markdown] lang="en"
# **Exercise 2.** The chain is $h_{t+1} = w\,h_t$ for $T$ steps from `h0`. Return $dh_T/dw$. What is it for $T = 0$?

# %% [markdown] lang="zh"
# **练习 2。** 链为 $h_{t+1} = w\,h_t$，从 `h0` 出发走 $T$ 步。返回 $dh_T/dw$。$T = 0$ 时是多少？

# %% tags=["exercise"]
def answer(w, h0, T):
    ### BEGIN SOLUTION
    return T * w ** (T - 1) * h0 if T > 0 else 0.0
    ### END SOLUTION


# %% tags=["check"]
check.shared_weight(answer)

# %% [markdown] lang="en" tags=["solution"]
# $h_T = w^T h_0$, and the derivative of a power is $T w^{T-1}$. Or step by step: the use of $w$ at step $t$ gives
# $w^{T-1-t} \cdot w^t h_0$; there are $T$ such uses, all equal. Without a step $w$ is not used at all, so the derivative is 0.

# %% [markdown] lang="zh" tags=["solution"]
# $h_T = w^T h_0$，幂的导数是 $T w^{T-1}$。或者逐步来看：第 $t$ 步用到的 $w$ 贡献 $w^{T-1-t} \cdot w^t h_0$，一共用了 $T$ 次，每份都相等。一步都没有时，$w$ 根本没有用到，导数是 0。

# %% [markdown] lang="en"
# **Exercise 3.** Now with the tanh: $h_{t+1} = \tanh(w\,h_t)$ for $T$ steps from `h0`. Return $dh_T/dh_0$, without the
# tape. You need a loop that carries two numbers forward: the state, and the derivative so far.

# %% [markdown] lang="zh"
# **练习 3。** 现在加上 tanh：$h_{t+1} = \tanh(w\,h_t)$，从 `h0` 出发走 $T$ 步。不用计算图，返回 $dh_T/dh_0$。写一个循环，带着两个数一起往前走：状态，以及到目前为止的导数。

# %% tags=["exercise"]
def answer(w, h0, T):
    ### BEGIN SOLUTION
    h, slope = h0, 1.0
    for _ in range(T):
        h = np.tanh(w * h)
        slope *= w * (1 - h ** 2)
    return slope
    ### END SOLUTION


# %% tags=["check"]
check.tanh_chain(answer)

# %% [markdown] lang="en" tags=["solution"]
# The derivative of $\tanh(u)$ is $1 - \tanh^2(u)$, so it takes the *new* state. Each step also multiplies by the inner
# derivative $w$. Carrying the derivative forward beside the state is called *forward mode*. With one input it costs no
# more than backward. With a million weights it would need a million such loops, and backward needs one.

# %% [markdown] lang="zh" tags=["solution"]
# $\tanh(u)$ 的导数是 $1 - \tanh^2(u)$，所以要用**新**的状态。每一步还要乘内层导数 $w$。让导数随状态一起往前走，叫做**前向模式**。只有一个输入时，代价不比反向模式大；有一百万个权重时，这样的循环要跑一百万遍，而反向模式只要一遍。
