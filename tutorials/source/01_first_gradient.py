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
# # 01 · Your first gradient
#
# **Goal: know what `backward()` does, and how to test what it says.** You follow the chain rule through a graph by
# hand, see two orders of visit that give a wrong gradient, and check a gradient with nothing but subtraction.
#
# You need Python and the chain rule. Install once, in the folder of the project:
#
#     python -m pip install -e ".[notebook]"
#
# All of it takes about five seconds.

# %% [markdown] lang="zh"
# # 01 · 第一个梯度
#
# **目标：弄清 `backward()` 做了什么，并学会检验它算得对不对。** 我们沿着计算图手算一遍链式法则，看看哪两种访问顺序会算错梯度，再只用减法检验一个梯度。
#
# 需要会用 Python，懂得链式法则。首次使用时，请在项目文件夹中安装：
#
#     python -m pip install -e ".[notebook]"
#
# 全部运行大约需要五秒。

# %% tags=["setup"]
import math
from functools import partial

import matplotlib.pyplot as plt
import numpy as np

import minigrad as mg
from minigrad import check

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# ## 1. The tape
#
# Compute $L = s \tanh s$ with $s = ab + c$. Each operation leaves a note: what it did, to which numbers, and what came
# out. Together the notes are the *tape*. Drawn, they are a graph: a box for each number, an arrow to what was made
# from it. Only tensors with `requires_grad=True`, and what is made from them, are on it.

# %% [markdown] lang="zh"
# ## 1. 磁带与计算图
#
# 计算 $L = s \tanh s$，其中 $s = ab + c$。每次运算都留下一条记录：做了什么，用了哪些数，得到什么。这些记录合起来叫**磁带**（tape），画出来就是**计算图**：每个数一个方框，箭头指向由它算出的结果。只有 `requires_grad=True` 的张量，以及由此算出的张量，才会被记录。

# %% slideshow={"slide_type": "subslide"}
a, b, c = (mg.tensor(value, requires_grad=True) for value in (2.0, 3.0, -5.5))
p = a * b
s = p + c
t = np.tanh(s)
L = s * t

with mg.plot.styled():
    _, ax = plt.subplots(figsize=(8.4, 3.0), dpi=105, layout="constrained")
    mg.plot.graph(L, ax, names={"a": a, "b": b, "c": c, "p": p, "s": s, "t": t, "L": L},
                  colorbar=False, title="In each box: what made it, its value, and below that the "
                                        "size of dL/d(box)")
plt.show()

# %% [markdown] lang="en" slideshow={"slide_type": "fragment"}
# **What to see.** Read it from left to right, that is how the values were computed. Then read the last line of each box
# from right to left: that is how the gradient is computed. It begins with $dL/dL = 1$. Brighter means larger: $a$
# matters most, a change of $a$ by 0.001 changes $L$ by about 0.00257. A sum hands its gradient on unchanged, so $p$,
# $c$ and $s$ show the same 0.855. A product hands it on *times the other factor*. And two arrows leave $s$: it acts on
# $L$ in two ways.
#
# ## 2. The chain rule, from right to left
#
# Write $\bar v$ for $dL/dv$. Each operation knows only its own derivative. It takes $\bar v$ of its result and makes
# from it $\bar v$ of each argument:
#
# $$v = x + y:\ \ \bar x \mathrel{+}= \bar v,\ \ \bar y \mathrel{+}= \bar v \qquad
#   v = xy:\ \ \bar x \mathrel{+}= y\,\bar v,\ \ \bar y \mathrel{+}= x\,\bar v \qquad
#   v = \tanh x:\ \ \bar x \mathrel{+}= (1 - v^2)\,\bar v$$
#
# It says $\mathrel{+}=$, because a number that is used twice receives twice. Here are all steps in plain Python.

# %% [markdown] lang="zh"
# **看什么。** 每个方框里从上到下是：由什么运算得来、数值、梯度 $dL/d(\cdot)$ 的大小。从左往右读，是求值的过程；再看每个方框的最后一行，从右往左读，是求梯度的过程，起点是 $dL/dL = 1$。颜色越亮，梯度越大：$a$ 的影响最大，$a$ 改变 0.001，$L$ 约改变 0.00257。加法把梯度原样传下去，所以 $p$、$c$、$s$ 都是 0.855；乘法则要**乘上另一个因子**再传。另外，从 $s$ 出发的箭头有两个：$s$ 通过两条路影响 $L$。
#
# ## 2. 从右往左用链式法则
#
# 把 $dL/dv$ 记作 $\bar v$。每个运算只需知道自己的导数：拿到结果的 $\bar v$，算出每个自变量该得的份额：
#
# $$v = x + y:\ \ \bar x \mathrel{+}= \bar v,\ \ \bar y \mathrel{+}= \bar v \qquad
#   v = xy:\ \ \bar x \mathrel{+}= y\,\bar v,\ \ \bar y \mathrel{+}= x\,\bar v \qquad
#   v = \tanh x:\ \ \bar x \mathrel{+}= (1 - v^2)\,\bar v$$
#
# 这里用 $\mathrel{+}=$，因为被用了两次的数会收到两份。下面用纯 Python 把每一步写出来。

# %%
a_, b_, c_ = 2.0, 3.0, -5.5                 # forward: the values
p_ = a_ * b_
s_ = p_ + c_
t_ = math.tanh(s_)

dL = 1.0                                    # backward: the last operation first
ds, dt = t_ * dL, s_ * dL                   # L = s * t
ds = ds + (1 - t_ ** 2) * dt                # t = tanh(s): the second share of s
dp, dc = ds, ds                             # s = p + c
da, db = b_ * dp, a_ * dp                   # p = a * b

L.backward()                                # the engine does the same
for name, by_hand, leaf in (("a", da, a), ("b", db, b), ("c", dc, c)):
    print(f"dL/d{name}   by hand {by_hand:.12f}   engine {leaf.grad.item():.12f}")

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** By hand and by engine the same, to all digits shown. One sweep from right to left gave *all three*
# derivatives. It passes each operation once, and would do so for a million leaves. This is *reverse mode*.
#
# ## 3. Why the order of visit matters
#
# Take $a = 1$, $b = a + a$, $c = b + b$. So $c = 4a$, and $dc/da = 4$. Every derivative on the way is 1; all that can go
# wrong is the order in which nodes are visited. Start at $c$ and try four ways:
#
# * **every time**: follow each arrow at once; whenever a node is reached, it passes on all that it has so far;
# * **first time**: the same, but a node passes on only when it is reached for the first time;
# * **path by path**: pass on only what came along this very path;
# * **newest first**: a node passes on once, when everything made from it has done so. Inputs are made before outputs,
#   so going through the nodes from the newest to the oldest is such an order.

# %% [markdown] lang="zh"
# **结论。** 手算与引擎的结果在显示的每一位上都一致。从右往左扫一遍，**三个**导数就全有了。每个运算只经过一次，哪怕有一百万个叶子节点也是如此。这就是**反向模式自动微分**。
#
# ## 3. 访问顺序为什么重要
#
# 取 $a = 1$，$b = a + a$，$c = b + b$。于是 $c = 4a$，$dc/da = 4$。每一步的导数都是 1，会出错的只有访问节点的顺序。从 $c$ 出发，试四种走法：
#
# * **every time（每次都传）**：沿箭头一路走下去，每到一个节点，就把该节点手头的全部梯度再传一次；
# * **first time（只传第一次）**：同上，但每个节点只在第一次到达时传；
# * **path by path（逐条路径）**：只传沿着这条路径带来的那一份；
# * **newest first（从新到旧）**：每个节点只传一次，而且要等由它算出的所有节点都传完。输入总是先于输出产生，所以按从新到旧的顺序访问就满足要求。

# %% slideshow={"slide_type": "subslide"}
def at_once(parents, node, grad, share=1, again=True):
    """A share arrives: pass on all that the node has so far; return the number of visits."""
    first, visits = grad[node] == 0, 1
    grad[node] += share
    if first or again:
        for parent in parents[node]:
            visits += at_once(parents, parent, grad, grad[node], again)
    return visits


def path_by_path(parents, node, grad, share=1):
    """A share arrives: pass on this share."""
    visits = 1
    grad[node] += share
    for parent in parents[node]:
        visits += path_by_path(parents, parent, grad, share)
    return visits


def newest_first(parents, node, grad):
    """Visit each node once, the newest first."""
    grad[node] = 1
    for node in sorted(parents, reverse=True):
        for parent in parents[node]:
            grad[parent] += grad[node]
    return len(parents)


ways = {"every time": at_once, "first time": partial(at_once, again=False),
        "path by path": path_by_path, "newest first": newest_first}
print("doublings   right answer   way             its answer     visits")
for n in (2, 16):
    doublings = {k: [k - 1, k - 1] if k else [] for k in range(n + 1)}      # k - 1, twice, makes k
    for name, way in ways.items():
        grad = dict.fromkeys(doublings, 0)
        visits = way(doublings, n, grad)
        print(f"{n:9d}   {2 ** n:12d}   {name:12}   {grad[0]:13.6g}   {visits:8d}")

x = mg.tensor(1.0, requires_grad=True)
h = x
for _ in range(1000):
    h = h + h
h.backward()
print(f"\n1000 doublings, minigrad: {x.grad.item():.6g}, and 2^1000 = {2.0 ** 1000:.6g}")

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** For $c = 4a$ the four ways answer 6, 2, 4 and 4. *Every time* passes the same share on again. *First time*
# passes on too early, when only half has arrived. *Path by path* is right, but there are $2^n$ paths: after 1000
# doublings more than there are atoms in the universe. *Newest first* is right and visits each node once. minigrad gives each tensor a
# running number when it is made, and goes through the numbers downwards.
#
# ## 4. Gradients add up
#
# `backward()` *adds* to `.grad`. That is the $\mathrel{+}=$ of section 2, and it is useful: the gradients of two
# losses add up to that of their sum. But who forgets to clear `.grad` between two updates takes a step along the sum of
# all gradients so far. Watch gradient descent on $(w - 3)^2 / 2$, once with and once without clearing.

# %% [markdown] lang="zh"
# **结论。** 对 $c = 4a$，四种走法的答案是 6、2、4、4。“每次都传”把同一份重复传了；“只传第一次”传得太早，那时才到了一半；“逐条路径”是对的，可是路径有 $2^n$ 条，加倍 1000 次，路径就比宇宙中的原子还多。“从新到旧”既正确，每个节点又只访问一次。minigrad 给每个新产生的张量一个递增的编号，反向传播时按编号从大到小访问。
#
# ## 4. 梯度会累加
#
# `backward()` 是往 `.grad` 里**累加**，也就是第 2 节的 $\mathrel{+}=$。这很有用：两个损失的梯度相加，就是损失之和的梯度。但如果两次更新之间忘了清空 `.grad`，走的就是至今所有梯度之和的方向。下面对 $(w - 3)^2 / 2$ 做梯度下降，一次清空，一次不清空。

# %%
x = mg.tensor(3.0, requires_grad=True)
for call in (1, 2, 3):
    (x * x).backward()
    print(f"after backward no. {call}: x.grad = {x.grad.item():g}")
print(f"mg.grad returns {mg.grad(x * x, x).item():g} and leaves x.grad alone: "
      f"x.grad = {x.grad.item():g}")


def descend(clear, rate=0.1, updates=60):
    """Return the places that gradient descent on (w - 3)^2 / 2 goes through."""
    w = mg.tensor(0.0, requires_grad=True)
    path = [w.item()]
    for _ in range(updates):
        if clear:
            w.grad = None                       # of an optimizer: opt.zero_grad()
        ((w - 3) ** 2 / 2).backward()
        w.data = w.data - rate * w.grad.data
        path.append(w.item())
    return path


with mg.plot.styled():
    _, ax = plt.subplots(figsize=(8, 2.6), dpi=110, layout="constrained")
    ax.plot(descend(clear=True), color="#0072B2", label=".grad cleared before each backward()")
    ax.plot(descend(clear=False), color="#D55E00", label="never cleared")
    ax.axhline(3, color="black", ls="--", lw=1, label="the minimum")
    ax.set(title="The same descent, with and without clearing .grad", xlabel="update", ylabel="w",
           ylim=(-0.5, 9))
    ax.legend(loc="upper center", ncols=3)
plt.show()

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** 6, 12, 18: each call adds another 6. With clearing, $w$ settles at the minimum. Without, it swings between
# 0 and 6 like a spring without friction, and comes no closer: no error, no warning, no learning.
#
# ## 5. Trust, but check
#
# A derivative is a limit, so a small difference must come close to it:
#
# $$f'(x) \approx \frac{f(x + h) - f(x)}{h} \ \text{(forward)} \qquad
#   f'(x) \approx \frac{f(x + h) - f(x - h)}{2h} \ \text{(central)}$$
#
# How small should $h$ be? Taylor's formula says what is cut off: for $e^x$ the relative error is $h/2$ (forward), and
# $h^2/6$ (central). But a computer stores 16 digits. The difference of two nearly equal numbers loses most of them,
# which costs up to about $\varepsilon / h$, with $\varepsilon = 2.2 \cdot 10^{-16}$. One error falls with $h$, the other
# grows.

# %% [markdown] lang="zh"
# **结论。** 6、12、18：每调用一次就多加一个 6。清空时，$w$ 停在最小值点；不清空时，$w$ 在 0 和 6 之间来回摆动，像没有摩擦的弹簧振子，一点也不靠近最小值点：不报错，不警告，也学不到东西。
#
# ## 5. 信任，但要检验
#
# 导数是极限，所以步长很小时，差商应当与导数接近：
#
# $$f'(x) \approx \frac{f(x + h) - f(x)}{h} \ \text{（前向差分）} \qquad
#   f'(x) \approx \frac{f(x + h) - f(x - h)}{2h} \ \text{（中心差分）}$$
#
# $h$ 该取多小？泰勒公式告诉我们截断误差：对 $e^x$，相对误差分别是 $h/2$（前向）和 $h^2/6$（中心）。但计算机只保留 16 位有效数字，两个几乎相等的数相减，大部分有效数字就丢了，由此带来的舍入误差最多约为 $\varepsilon / h$，其中 $\varepsilon = 2.2 \cdot 10^{-16}$。$h$ 变小时，一种误差减小，另一种增大。

# %% slideshow={"slide_type": "subslide"}
x = mg.tensor(1.0, requires_grad=True)
slope = mg.grad(np.exp(x), x).item()

h = np.logspace(-15, 0, 91)
eps = np.finfo(float).eps
forward = (np.exp(1 + h) - np.exp(1.0)) / h
central = (np.exp(1 + h) - np.exp(1 - h)) / (2 * h)

with mg.plot.styled():
    _, ax = plt.subplots(figsize=(9, 4), dpi=100, layout="constrained")
    ax.loglog(h, np.abs(forward / slope - 1), ".", color="#D55E00", label="forward, measured")
    ax.loglog(h, np.abs(central / slope - 1), ".", color="#0072B2", label="central, measured")
    ax.loglog(h, h / 2, "--", color="#D55E00", lw=1.2, label="cut off: h / 2")
    ax.loglog(h, h ** 2 / 6, "--", color="#0072B2", lw=1.2, label=r"cut off: $h^2 / 6$")
    ax.loglog(h, eps / h, "k--", lw=1.2, label=r"rounded: up to about $\varepsilon / h$")
    ax.set(title="Relative error of a finite difference of exp at 1, against the step h",
           xlabel="step h", ylabel="relative error", ylim=(1e-13, 3))
    ax.legend(loc="upper center", ncols=2)
plt.show()

# %% [markdown] lang="en" slideshow={"slide_type": "fragment"}
# **What to see.** Two V's. On the right the dots lie on the dashed lines: there Taylor's formula rules. On the left they
# scatter below the black line: there rounding rules, and a *smaller* step is *worse*. The bottom of the V is where both
# are equal: for the central difference near $h = 10^{-5}$, with an error of about $10^{-11}$; the forward one gets no
# further than about $10^{-8}$. So a gradient check takes central differences with a step near $10^{-5}$, and no check
# agrees to 16 digits.
#
# `mg.gradcheck` does this for any function, and names the element that is off. Here is $|x|^3$ with a rule that somebody
# wrote too quickly, and with a better one. (A rule gets the gradient $g$ of the result, the result $y$, and the argument
# $x$. It returns the gradient of $x$.)

# %% [markdown] lang="zh"
# **看什么。** 两个 V 字。右边的点落在虚线上，由泰勒公式主宰；左边的点散落在黑色虚线之下，由舍入误差主宰，步长**越小越糟**。V 的底部是两种误差相等之处：中心差分约在 $h = 10^{-5}$，误差约 $10^{-11}$；前向差分最好也只有约 $10^{-8}$。所以梯度检验用中心差分，步长取 $10^{-5}$ 左右；而且没有哪种检验能让 16 位数字全部吻合。
#
# `mg.gradcheck` 能对任何函数做这件事，还会指出哪个元素不对。下面是 $|x|^3$，有人把它的求导规则写得太匆忙；后面再换一条好的。（规则接收结果的梯度 $g$、结果 $y$ 和自变量 $x$，返回 $x$ 的梯度。）

# %%
@mg.primitive
def cube_of_size(x):
    return np.abs(x) ** 3


place = np.array([2.0, 1.0, -2.0])
rules = {"3 x x": lambda g, y, x: g * 3 * x * x, "3 x |x|": lambda g, y, x: g * 3 * x * np.abs(x)}
for text, rule in rules.items():
    mg.defvjp(cube_of_size, rule)
    try:
        print(f"rule {text}: passed, {mg.gradcheck(cube_of_size, place)}")
    except AssertionError as error:
        print(f"rule {text}: {str(error).partition(': got')[0]}")

# %% [markdown] lang="en" slideshow={"slide_type": "fragment"}
# **Found.** The quick rule is wrong at index 2, and that is $x = -2$: there $|x|^3$ falls, and $3x^2$ says that it
# rises. At the two positive places both rules say the same. So check a gradient at numbers of
# both signs.

# %% [markdown] lang="zh"
# **结论。** 匆忙写的规则在下标 2 处出错，也就是 $x = -2$：那里 $|x|^3$ 在下降，$3x^2$ 却说它在上升。在两个正数处，两条规则给出的结果相同。所以做梯度检验时，正数、负数都要试。

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# ## Your turn
#
# Replace `raise NotImplementedError` and run the cell below it.
#
# **Exercise 1.** Let $s = xy$ and $L = s \cdot s + x$. Go from right to left, as in section 2, in plain Python. Return
# the pair $dL/dx$, $dL/dy$. Count the ways on which each number reaches $L$.

# %% [markdown] lang="zh"
# ## 练习
#
# 把 `raise NotImplementedError` 换成你的代码，再运行下面的单元格。
#
# **练习 1。** 设 $s = xy$，$L = s \cdot s + x$。像第 2 节那样，用纯 Python 从右往左算，返回 $dL/dx$ 和 $dL/dy$ 两个数。数一数每个数通过几条路影响 $L$。

# %% tags=["exercise"]
def answer(x, y):
    ### BEGIN SOLUTION
    s = x * y
    ds = s + s                  # L = s * s + x: two shares for s ...
    dx = 1.0                    # ... and one for x
    dx = dx + y * ds            # s = x * y: the second share of x
    dy = x * ds
    return dx, dy
    ### END SOLUTION


# %% tags=["check"]
check.two_ways(answer)

# %% [markdown] lang="en" tags=["solution"]
# Both $s$ and $x$ are used twice, so each receives two shares. $s$ gets $s + s = 2s$ from the product $s \cdot s$. $x$
# gets 1 directly and $y \cdot 2s$ through $s$. In one line: $dL/dx = 2xy^2 + 1$ and $dL/dy = 2x^2y$.

# %% [markdown] lang="zh"
# $s$ 和 $x$ 都用了两次，所以各收到两份。$s$ 从乘积 $s \cdot s$ 得到 $s + s = 2s$；$x$ 直接得到 1，又通过 $s$ 得到 $y \cdot 2s$。合起来写：$dL/dx = 2xy^2 + 1$，$dL/dy = 2x^2y$。

# %% [markdown] lang="en"
# **Exercise 2.** Is an order of visit right? `parents` says of each node from which nodes it was made, as in
# `{"c": ["b", "b"], "b": ["a", "a"], "a": []}`. `order` is a list of all nodes. Return True if each node comes later
# than *every* node that was made from it, else False.

# %% [markdown] lang="zh"
# **练习 2。** 一种访问顺序对不对？`parents` 给出每个节点由哪些节点算出，例如 `{"c": ["b", "b"], "b": ["a", "a"], "a": []}`；`order` 是全部节点组成的列表。如果每个节点都排在由它算出的**所有**节点之后，返回 True，否则返回 False。

# %% tags=["exercise"]
def answer(parents, order):
    ### BEGIN SOLUTION
    for node in order:
        for parent in parents[node]:
            if order.index(parent) < order.index(node):
                return False
    return True
    ### END SOLUTION


# %% tags=["check"]
check.right_order(answer)

# %% [markdown] lang="en" tags=["solution"]
# Look at every arrow of the graph, not only at neighbours in the list: a parent must stand behind the node that was made
# from it. A graph has many right orders. Newest first is one of them, and it needs no search.

# %% [markdown] lang="zh"
# 要检查图中的每一个箭头，而不只是列表里相邻的两个：父节点必须排在由它算出的节点之后。一张图可以有许多正确的顺序；从新到旧是其中之一，而且不用搜索。

# %% [markdown] lang="en"
# **Exercise 3.** Write a gradient check. `f` takes an array and returns a number. Return an array of the shape of `x`:
# for each element of `x` the central difference of `f` with the step `h`, when *this element alone* is moved. Leave `x`
# as it is. (`np.ndindex(x.shape)` goes through all places of an array of any shape.)

# %% [markdown] lang="zh"
# **练习 3。** 自己写梯度检验。`f` 接收一个数组，返回一个数。请返回一个与 `x` 形状相同的数组：对 `x` 的每个元素，**只移动这一个元素**，用步长 `h` 求 `f` 的中心差分。不要改动 `x`。（`np.ndindex(x.shape)` 可以遍历任意形状数组的所有位置。）

# %% tags=["exercise"]
def answer(f, x, h):
    ### BEGIN SOLUTION
    slopes = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        step = np.zeros(x.shape)
        step[place] = h
        slopes[place] = (f(x + step) - f(x - step)) / (2 * h)
    return slopes
    ### END SOLUTION


# %% tags=["check"]
check.central_difference(answer)

# %% [markdown] lang="en" tags=["solution"]
# A step of zeros with a single $h$ in it moves one element and leaves `x` alone. For a function of second degree the
# central difference is exact for every $h$, as $h^2/6$ times the third derivative is 0.
#
# It calls `f` twice for *each* element: for a net of a million weights two million times. `backward()` needs one sweep
# for all of them. That is why we check with differences, and train with reverse mode.

# %% [markdown] lang="zh"
# 用一个全零、只有一处是 $h$ 的数组作步长，就只移动一个元素，也不会改动 `x`。对二次函数，无论 $h$ 取多大，中心差分都是精确的，因为误差是 $h^2/6$ 乘三阶导数，等于 0。
#
# **每个**元素都要调用两次 `f`：一百万个权重就是两百万次。而 `backward()` 扫一遍就得到全部。所以我们用差分来检验，用反向模式来训练。
