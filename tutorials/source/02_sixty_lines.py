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
# # 02 · Build it in 60 lines
#
# **Goal: write an autodiff engine yourself, and know why each of its lines is there.** It computes with arrays, visits
# its graph in the right order, and trains a net. Then you hold it against minigrad's own engine.
#
# You need tutorial 01 (the tape, the order of visit). Install once, in the folder of the project:
#
#     python -m pip install -e ".[notebook]"
#
# All of it takes about ten seconds.

# %% [markdown] lang="zh"
# # 02 · 六十行代码，写一个自动微分引擎
#
# **目标：亲手写一个自动微分引擎，并明白每一行为什么非写不可。** 它以数组为单位计算，按正确的顺序访问计算图，还能训练网络。最后拿它与 minigrad 自己的引擎比一比。
#
# 需要先学教程 01（计算图、访问顺序）。首次使用时，请在项目文件夹中安装：
#
#     python -m pip install -e ".[notebook]"
#
# 全部运行大约需要十秒。

# %% tags=["setup"]
import time

import matplotlib.pyplot as plt
import numpy as np

import minigrad as mg
from minigrad import check

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# ## 1. All of it
#
# A `Tensor` is an array that knows what it was made from: pairs of a *parent* and a *rule*. The rule takes the gradient
# $G = dL/dY$ of the result and gives that of the parent. For arrays the rules look as they do for numbers,
# element by element, but for the matrix product they are
#
# $$Y = XW: \qquad \frac{dL}{dX} = G\,W^\top, \qquad \frac{dL}{dW} = X^\top G$$
#
# (Remember them by the shapes: each gradient has the shape of its matrix.) Such a rule is called a *vjp*, a
# vector-Jacobian product. It never forms the Jacobian. For two matrices of $100 \times 100$, that of $Y$ with respect to
# $X$ would have $10^8$ entries.

# %% [markdown] lang="zh"
# ## 1. 全部代码
#
# `Tensor` 是一种记得自己来历的数组：里面存着若干对**父节点**和**规则**。规则接收结果的梯度 $G = dL/dY$，给出父节点的梯度。对数组，规则与数的情形相同，逐元素进行；唯独矩阵乘法的规则是
#
# $$Y = XW: \qquad \frac{dL}{dX} = G\,W^\top, \qquad \frac{dL}{dW} = X^\top G$$
#
# （可以用形状来记：每个梯度与对应的矩阵同形。）这样的规则叫**向量-雅可比积**（VJP）。它从不写出雅可比矩阵：对两个 $100 \times 100$ 的矩阵，$Y$ 对 $X$ 的雅可比矩阵有 $10^8$ 个元素。

# %% tags=["setup"] slideshow={"slide_type": "subslide"}
def unbroadcast(g, shape):
    """Sum a gradient over the axes along which an array of this shape was copied."""
    g = g.sum(axis=tuple(range(g.ndim - len(shape))))               # axes that it did not have
    copied = tuple(i for i, n in enumerate(shape) if n == 1)        # axes of length 1
    return g.sum(axis=copied, keepdims=True)


def newest_first(root):
    """Return all tensors that lead to root, the newest first."""
    found, waiting = {}, [root]
    while waiting:
        node = waiting.pop()
        if node.number not in found:
            found[node.number] = node
            waiting += [parent for parent, _ in node.parents]
    return [found[number] for number in sorted(found, reverse=True)]


class Tensor:
    made = 0                                    # so many there are

    def __init__(self, data, parents=()):
        self.data, self.grad = np.asarray(data, dtype=float), None
        self.parents = parents                  # pairs: a parent, and the rule for its gradient
        Tensor.made += 1
        self.number = Tensor.made               # what is made later has a larger number

    def __add__(self, other):
        return Tensor(self.data + other.data, [(self, lambda g: g), (other, lambda g: g)])

    def __sub__(self, other):
        return Tensor(self.data - other.data, [(self, lambda g: g), (other, lambda g: -g)])

    def __mul__(self, other):
        return Tensor(self.data * other.data,
                      [(self, lambda g: g * other.data), (other, lambda g: g * self.data)])

    def __matmul__(self, other):
        return Tensor(self.data @ other.data,
                      [(self, lambda g: g @ other.data.T), (other, lambda g: self.data.T @ g)])

    def tanh(self):
        y = np.tanh(self.data)
        return Tensor(y, [(self, lambda g: g * (1 - y * y))])

    def sum(self):
        return Tensor(self.data.sum(), [(self, lambda g: g * np.ones(self.data.shape))])

    def backward(self, order=newest_first):
        arrived = {self.number: np.ones(self.data.shape)}
        for node in order(self):
            node.grad = arrived[node.number]
            for parent, rule in node.parents:
                share = unbroadcast(rule(node.grad), parent.data.shape)
                arrived[parent.number] = arrived.get(parent.number, 0.0) + share


# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# ## 2. Broadcasting undone
#
# One line of `backward` is new: `unbroadcast`. When NumPy adds a bias of shape `(4,)` to an array of shape `(3, 4)`, it
# copies the bias into three rows. A number that is used three times receives three shares. So the gradient of the bias
# is the *sum* over the copies. What if that line is forgotten?

# %% [markdown] lang="zh"
# ## 2. 把广播收回来
#
# `backward` 里有一样新东西：`unbroadcast`。NumPy 把形状 `(4,)` 的偏置加到形状 `(3, 4)` 的数组上时，会把偏置复制成三行。一个数用了三次，就会收到三份梯度，所以偏置的梯度要对各个副本**求和**。忘了这一步会怎样？

# %%
rng = np.random.default_rng(0)
x, w, b = (Tensor(rng.normal(size=shape)) for shape in ((3, 2), (2, 4), (4,)))
out = (x @ w + b).tanh()
out.sum().backward()

forgotten = out.grad * (1 - out.data ** 2)      # the rules of tanh and +, and nothing else
h = 1e-5
check_by_hand = [(np.tanh(x.data @ w.data + b.data + h * unit).sum()
                  - np.tanh(x.data @ w.data + b.data - h * unit).sum()) / (2 * h)
                 for unit in np.eye(4)]
print("shape of b:             ", b.data.shape)
print("gradient, with the line:", b.grad.shape, b.grad.round(6))
print("central differences:    ", np.shape(check_by_hand), np.round(check_by_hand, 6))
print("gradient, without it:   ", forgotten.shape)
print("b after an update:      ", (b.data - 0.1 * forgotten).shape)

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** With the line, the gradient has the shape of `b` and agrees with central differences. Without it, the bias
# would become a matrix at the first update, and nobody would complain.
#
# ## 3. Order of visit
#
# `backward` takes the order as an argument, so we can give it a wrong one. A popular wrong one is depth first: visit a
# node, then at once its first parent, and so on. We use the function of tutorial 01, $L = s \tanh s$ with $s = ab + c$.

# %% [markdown] lang="zh"
# **结论。** 有这一步，梯度的形状与 `b` 相同，数值与中心差分一致。没有这一步，第一次更新就会把偏置变成矩阵，而且没有任何报错。
#
# ## 3. 访问顺序
#
# `backward` 把访问顺序作为参数，所以可以故意给它一个错的。常见的错误是深度优先：访问一个节点，马上接着访问它的第一个父节点，一路走下去。仍用教程 01 的函数 $L = s \tanh s$，其中 $s = ab + c$。

# %% slideshow={"slide_type": "subslide"}
def depth_first(node, found=None):
    """Return all tensors that lead to a node, each as soon as it is found."""
    found = [] if found is None else found
    if node not in found:
        found.append(node)
        for parent, _ in node.parents:
            depth_first(parent, found)
    return found


def make(swapped=False):
    """Compute L = s tanh(s), s = a b + c; return the tensors by name."""
    a, b, c = Tensor(2.0), Tensor(3.0), Tensor(-5.5)
    p = a * b
    s = p + c
    t = s.tanh()
    return {"a": a, "b": b, "c": c, "p": p, "s": s, "t": t, "L": t * s if swapped else s * t}


PLACES = {"a": (0, 2), "b": (0, 0), "p": (1, 1), "c": (1, -1),
          "s": (2, 0), "t": (3, 1), "L": (4, 0)}


def draw(ax, tensors, order, right, title):
    """Draw the graph, arrows as the gradient goes; orange: what is too late, and wrong by it."""
    tensors["L"].backward(order)
    name_of = {node.number: name for name, node in tensors.items()}
    turn = {name_of[node.number]: k for k, node in enumerate(order(tensors["L"]), start=1)}
    for name, node in tensors.items():
        for parent, _ in node.parents:
            to = name_of[parent.number]
            late = turn[to] < turn[name]
            width, line, colour = (2.5, "--", "#D55E00") if late else (1.2, "-", "0.4")
            ax.annotate("", PLACES[to], PLACES[name], arrowprops={
                "arrowstyle": "-|>", "lw": width, "ls": line, "color": colour,
                "shrinkA": 17, "shrinkB": 17})
        wrong = not np.isclose(node.grad, right[name])
        x, y = PLACES[name]
        ax.text(x, y, f"{name}\n{turn[name]}", ha="center", va="center", fontsize=12,
                linespacing=1.1, bbox={"boxstyle": "circle,pad=0.35", "ec": "0.2",
                                       "fc": "#FBE3D6" if wrong else "#DCEBF7"})
        ax.text(x, y - 0.62, f"{node.grad:.3f}", ha="center", va="top", fontsize=11,
                color="#C04000" if wrong else "black", weight="bold" if wrong else "normal")
    ax.set(title=title, xlim=(-0.5, 4.5), ylim=(-2.2, 2.8))
    ax.set_axis_off()


tensors = make()
tensors["L"].backward()
right = {name: node.grad for name, node in tensors.items()}
with mg.plot.styled():
    _, axes = plt.subplots(1, 2, figsize=(11, 3.7), dpi=80, layout="constrained")
    draw(axes[0], make(), newest_first, right, "Newest first: 1, 2, 3, ...")
    draw(axes[1], make(), depth_first, right, "Depth first: s is visited too early")
plt.show()

for swapped, text in ((False, "s * t"), (True, "t * s")):
    tensors = make(swapped)
    tensors["L"].backward(depth_first)
    print(f"L = {text}, depth first: dL/da = {tensors['a'].grad:.3f}   (right: {right['a']:.3f})")

# %% [markdown] lang="en" slideshow={"slide_type": "fragment"}
# **What to see.** In each circle the turn of the visit, below it the gradient; arrows go the way of the gradient. *Left:*
# all arrows lead from a smaller number to a larger. *Right:* $s$ has the turn 2, but $t$, which was made from it, the turn
# 7. When $t$ sends its share (dashed), $s$ has passed on already. So $s$ and all that lies behind it is wrong: $da$ is
# 1.386 instead of 2.566. No error is raised. And written as $t \cdot s$ it comes out right, by luck: then the first
# parent is $t$. A test with one example would not have found it.
#
# ## 4. Does it learn?
#
# A net $\tanh(xw + b)\,v + c$ with 16 hidden units is to learn $0.8 \sin 3x$, as in tutorial 00. We say that it has learned
# the curve if the loss ends below 0.01 (the best step function has 0.057). The function below asks nothing of a tensor
# but our six operations, so it can run on either engine, from the same weights.

# %% [markdown] lang="zh"
# **看什么。** 圆圈里是访问的次序，下面是梯度；箭头是梯度传播的方向。**左**（newest first，从新到旧）：所有箭头都从小号指向大号。**右**（depth first，深度优先）：$s$ 第 2 个被访问，而由它算出的 $t$ 却排在第 7。等 $t$ 送来它那一份（虚线）时，$s$ 早已传完。所以 $s$ 以及再往后的梯度全都错了：$da$ 成了 1.386，而不是 2.566。没有任何报错。要是写成 $t \cdot s$，结果碰巧又对了，因为这时第一个父节点是 $t$。只测一个例子，根本发现不了。
#
# ## 4. 学得会吗？
#
# 让有 16 个隐藏单元的网络 $\tanh(xw + b)\,v + c$ 学习教程 00 里的 $0.8 \sin 3x$。最终损失低于 0.01，就算学会了这条曲线（最好的阶跃函数是 0.057）。下面的函数只用到我们的六种运算，所以可以从同样的初始权重出发，在两个引擎上各训练一遍。

# %%
points = np.linspace(-1, 1, 32)[:, None]
curve = 0.8 * np.sin(3 * points)


def loss_of(make, weights):
    """Return the mean squared error; `make` turns an array into a tensor."""
    w, b, v, c = weights
    error = (make(points) @ w + b).tanh() @ v + c - make(curve)
    return (error * error).sum() * make(1 / len(points))


def train(make, make_leaf, seed, rate=0.2, updates=300):
    """Return the loss before each update."""
    rng = np.random.default_rng(seed)
    first = [rng.normal(size=(1, 16)), np.zeros(16), rng.normal(size=(16, 1)) / 4, np.zeros(1)]
    weights, losses = [make_leaf(array) for array in first], []
    for _ in range(updates):
        for weight in weights:
            weight.grad = None
        loss = loss_of(make, weights)
        loss.backward()
        losses.append(float(loss.data))
        for weight in weights:
            weight.data = weight.data - rate * np.asarray(getattr(weight.grad, "data", weight.grad))
    return np.array(losses)


learned = 0
for seed in range(4):
    ours = train(Tensor, Tensor, seed)
    theirs = train(mg.tensor, lambda array: mg.tensor(array, requires_grad=True), seed)
    learned += ours[-1] < 0.01
    print(f"seed {seed}: loss {ours[0]:.3f} -> {ours[-1]:.4f}; all 300 losses as minigrad's: "
          f"{np.allclose(ours, theirs, rtol=1e-9)}")
print(f"{learned} of 4 learned the curve")

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** It learns with each of four seeds, and all losses are those of minigrad. That is all there is to autodiff:
# rules, an order, and a sum.
#
# ## 5. What is the rest of minigrad for?
#
# For more rules, for gradients of gradients (tutorial 13), for errors that say what is wrong; and for speed. Here is a
# chain of products and tanh over arrays of 1 to 100,000 numbers: time per operation, forward and backward together.
# The black line is the same chain written out by hand, without an engine: what NumPy itself takes.

# %% [markdown] lang="zh"
# **结论。** 四个种子全都学会了，而且每一步的损失都与 minigrad 一致。自动微分说到底就是三样东西：规则、顺序、求和。
#
# ## 5. minigrad 其余的代码有什么用？
#
# 为了更多的规则，为了梯度的梯度（教程 13），为了报错时说清错在哪里，也为了速度。下面对含 1 到 100000 个数的数组做一连串乘法和 tanh，测量每个运算的时间，前向和反向合计。黑色虚线是不用引擎、手写的同一串运算，也就是 NumPy 本身要花的时间。

# %% slideshow={"slide_type": "subslide"}
def chain(make, size, operations=60):
    """Run h <- tanh(h w) forward and backward."""
    w, h = make(np.full(size, 1.0)), make(np.full(size, 0.5))
    for _ in range(operations // 2):
        h = (h * w).tanh()
    h.sum().backward()


def chain_by_hand(size, operations=60):
    """The same without an engine."""
    w, h = np.full(size, 1.0), [np.full(size, 0.5)]
    for _ in range(operations // 2):
        h.append(np.tanh(h[-1] * w))
    g, gw = np.ones(size), np.zeros(size)
    for before, after in zip(h[-2::-1], h[:0:-1]):
        g = g * (1 - after * after)
        gw += g * before
        g = g * w


def best_time(run, size):
    """Return the shortest of five times, in microseconds per operation."""
    times = []
    for _ in range(5):
        start = time.perf_counter()
        run(size)
        times.append(time.perf_counter() - start)
    return min(times) * 1e6 / 60


def leaf(array):
    return mg.tensor(array, requires_grad=True)


runs = {"our 60 lines": (lambda size: chain(Tensor, size), "#D55E00", "o-"),
        "minigrad": (lambda size: chain(leaf, size), "#0072B2", "s-"),
        "NumPy, by hand": (chain_by_hand, "black", "--")}
sizes = (1, 10, 100, 1000, 10_000, 100_000)
with mg.plot.styled():
    _, ax = plt.subplots(figsize=(8, 3.6), dpi=110, layout="constrained")
    for name, (run, colour, line) in runs.items():
        times = [best_time(run, size) for size in sizes]
        ax.loglog(sizes, times, line, color=colour, label=name, ms=5)
    ax.set(title="Time per operation, forward and backward", xlabel="numbers in the array",
           ylabel="microseconds")
    ax.legend()
plt.show()

# %% [markdown] lang="en" slideshow={"slide_type": "fragment"}
# **What to see.** Your times will differ; the shape will not. *Left:* for small arrays the lines are flat. What is paid
# there is Python, a few microseconds for each node, whatever it holds, and both engines lie above the black line.
# *Right:* for large arrays the arithmetic takes over, and at the edge minigrad comes close to NumPy. Ours does not: it
# makes and keeps more arrays than it needs. It stores every gradient, for one; minigrad stores those of the leaves.

# %% [markdown] lang="zh"
# **看什么。** 你测到的时间会不同，但曲线的形状不会变。**左**：数组小时，曲线是平的。这里花的是 Python 的时间，每个节点几微秒，与里面装多少数无关，两个引擎都在黑线之上。**右**：数组大时，运算本身占了上风，到最右端 minigrad 接近 NumPy 本身，我们的引擎则不然：它生成并留着太多用不着的数组，例如保存所有节点的梯度，而 minigrad 只保存叶子节点的。

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# ## Your turn
#
# Replace `raise NotImplementedError` and run the cell below it.
#
# **Exercise 1.** Our class has no division. Write its rule: for $z = x / y$ and $g = dL/dz$, return the pair $dL/dx$,
# $dL/dy$. `g`, `x` and `y` are arrays, and `x` and `y` may have been broadcast: each gradient has the shape of its array.
# You may use `unbroadcast(g, shape)`.

# %% [markdown] lang="zh"
# ## 练习
#
# 把 `raise NotImplementedError` 换成你的代码，再运行下面的单元格。
#
# **练习 1。** 我们的类还不会做除法。请写出它的规则：对 $z = x / y$ 和 $g = dL/dz$，返回 $dL/dx$ 和 $dL/dy$。`g`、`x`、`y` 都是数组，`x` 和 `y` 可能被广播过；每个梯度的形状要与各自的数组相同。可以使用 `unbroadcast(g, shape)`。

# %% tags=["exercise"]
def answer(g, x, y):
    ### BEGIN SOLUTION
    dx = g / y
    dy = -g * x / (y * y)
    return unbroadcast(dx, x.shape), unbroadcast(dy, y.shape)
    ### END SOLUTION


# %% tags=["check"]
check.divide_rule(answer)

# %% [markdown] lang="en" tags=["solution"]
# $\partial z/\partial x = 1/y$ and $\partial z/\partial y = -x/y^2$; the chain rule multiplies each by $g$. Then the
# copies are summed. To put it into the class, add a method `__truediv__` of the same form as `__mul__`; there `backward`
# does the summing.

# %% [markdown] lang="zh"
# $\partial z/\partial x = 1/y$，$\partial z/\partial y = -x/y^2$，按链式法则各乘上 $g$，再对副本求和。要放进类里，照 `__mul__` 的样子加一个 `__truediv__` 方法即可，求和由 `backward` 负责。

# %% [markdown] lang="en"
# **Exercise 2.** Find a right order *without* running numbers. `parents` says of each node from which nodes it was made,
# as in tutorial 01. Return a list of all nodes that lead to `root` (and of no others), each once: `root` first, and each
# node later than every node that was made from it. Hint: first find all nodes that lead to `root`. Then take, again and
# again, a node that is a parent of none of those still left.

# %% [markdown] lang="zh"
# **练习 2。** **不用**编号，求出一种正确的顺序。和教程 01 一样，`parents` 给出每个节点由哪些节点算出。请返回所有通向 `root` 的节点（不含其他节点），每个只出现一次：`root` 在最前，每个节点都排在由它算出的所有节点之后。提示：先找出所有通向 `root` 的节点，再从剩下的节点里反复取出一个，它不能是剩下的任何节点的父节点。

# %% tags=["exercise"]
def answer(parents, root):
    ### BEGIN SOLUTION
    done, seen = [], set()

    def visit(node):
        if node not in seen:
            seen.add(node)
            for parent in parents[node]:
                visit(parent)
            done.append(node)           # after all that it was made from

    visit(root)
    return done[::-1]
    ### END SOLUTION


# %% tags=["check"]
check.visit_order(answer)

# %% [markdown] lang="en" tags=["solution"]
# Depth first was not so wrong: write a node down not when it is found, but when all that it was made from is written
# down. That list has inputs before outputs; turned around, it is an order for the gradient. Other right answers count for
# each node how many of those made from it are still to come, and visit it when none is left (Kahn, 1962).
#
# Why does minigrad use numbers? Because this function calls itself, once for each node on the way. A chain of ten
# thousand operations is nothing unusual for a recurrent net:

# %% [markdown] lang="zh"
# 深度优先其实只差一点：不要在找到节点时就记下它，而要等算出它的节点都记下之后再记。这样得到的列表输入在前、输出在后，倒过来就是求梯度的顺序。也可以对每个节点数一数，由它算出的节点还有几个没访问，数到零就访问它（Kahn，1962）。
#
# minigrad 为什么用编号？因为这个函数要调用自己，路上每个节点调用一次。而对循环神经网络来说，一万步运算的链并不稀奇：

# %% tags=["solution"]
long_chain = {k: [k - 1] if k else [] for k in range(10_000)}
try:
    answer(long_chain, 9_999)
except RecursionError as error:
    print(f"by recursion: {type(error).__name__}: {str(error)[:32]}")
h = one = Tensor(1.0)
for _ in range(10_000):
    h = h + one
h.backward()
print(f"by numbers:   dL/d(one) = {one.grad}")

# %% [markdown] lang="en"
# **Exercise 3.** A rule that is not element by element: $y = x / \lVert x \rVert$ gives a vector the length 1. Each
# element of $x$ acts on *all* elements of $y$, as it changes the length. Return $dL/dx$ for $g = dL/dy$. Hint: $x$ reaches
# $y$ in two ways, directly and through $n = \lVert x \rVert = \sqrt{\sum x_i^2}$. Add both shares.

# %% [markdown] lang="zh"
# **练习 3。** 一条不是逐元素的规则：$y = x / \lVert x \rVert$ 把向量的长度变为 1。$x$ 的每个元素都会改变长度，因而影响 $y$ 的**所有**元素。已知 $g = dL/dy$，返回 $dL/dx$。提示：$x$ 通过两条路影响 $y$，一条是直接的，一条经过 $n = \lVert x \rVert = \sqrt{\sum x_i^2}$。把两份加起来。

# %% tags=["exercise"]
def answer(g, x):
    ### BEGIN SOLUTION
    n = np.sqrt((x * x).sum())
    dn = -(g * x).sum() / n ** 2            # y = x / n: the share of the length
    return g / n + dn * x / n               # directly, and through n: dn/dx = x / n
    ### END SOLUTION


# %% tags=["check"]
check.unit_vector_rule(answer)

# %% [markdown] lang="en" tags=["solution"]
# With $y = x/n$ it can be written as $\left(g - y\,(y \cdot g)\right) / n$: take from $g$ what points along $y$. That part
# must vanish, since making $x$ longer does not change $y$ at all. The Jacobian has a row for each element; the rule needs
# one scalar product. (Layer normalisation, in tutorial 07, has a rule of the same kind.)

# %% [markdown] lang="zh"
# 借助 $y = x/n$，可以写成 $\left(g - y\,(y \cdot g)\right) / n$：从 $g$ 中减去沿 $y$ 方向的部分。这一部分必须消失，因为把 $x$ 拉长，$y$ 丝毫不变。雅可比矩阵每个元素占一行，而这条规则只要一个内积。（教程 07 的层归一化也有一条同类的规则。）
