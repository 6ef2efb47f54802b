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
# # 14 · Myths about clipping
#
# **Goal: find the measurement that decides a claim, and let it decide.** Five Chinese articles on clipping
# say some forty things. Which of them hold? You judge two by hand. Then the machine judges three dozen.
#
# You need tutorials 06 (clipping) and 09 (accumulation). Install once, in the folder of the project:
#
#     python -m pip install -e ".[notebook]"
#
# Run the cells from top to bottom. All of it takes about 25 seconds. Three exercises at the end check themselves.

# %% [markdown] lang="zh"
# # 14 · 梯度裁剪：传言与实测
#
# **目标：找到能裁决一个说法的测量，然后让它来裁决。** 有五篇中文文章讲梯度裁剪，一共提出四十来个说法，哪些成立？先亲手裁决两个，再让机器裁决三十多个。
#
# 需要先学教程 06（裁剪）和 09（累积）。首次使用时，请在项目文件夹中安装：
#
#     python -m pip install -e ".[notebook]"
#
# 从上到下依次运行各个单元格，全部大约需要 25 秒。最后有三道自动批改的练习。

# %% tags=["setup"]
import itertools
import textwrap

import matplotlib.pyplot as plt
import numpy as np

import minigrad as mg
from minigrad import check, claims, hooks, nn, optim

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# ## 1. A claim, a measurement, a verdict
#
# "Clipping solves gradients that explode *or vanish*." Four of the five articles say so. What would have to be seen,
# if it were true? After the clip some gradient that had vanished would have to be longer than before. So we need a
# net in which gradients vanish, a clip, and the lengths layer by layer, before and after.
#
# Fifty sigmoid layers: the slope of the sigmoid is at most 1/4, so each layer shortens the gradient. We clip at a
# hundredth of the norm. The hook sees the real gradients, and we look at what comes out.

# %% [markdown] lang="zh"
# ## 1. 说法、测量、判定
#
# “裁剪能解决梯度爆炸**或梯度消失**。”五篇文章中有四篇这么说。假如真是这样，应该看到什么？应该有某个已经消失的梯度，裁剪之后比裁剪之前更长。所以我们需要：一个梯度会消失的网络、一次裁剪，以及裁剪前后每一层梯度的长度。
#
# 五十层 sigmoid：sigmoid 的斜率至多是 1/4，所以每过一层，梯度都会变短。以整体范数的百分之一为阈值裁剪。钩子看到的是真实的梯度，我们看看交出来的是什么。

# %%
rng = np.random.default_rng(0)
net = nn.Sequential(*[m for _ in range(50) for m in (nn.Linear(64, 64, rng=rng), nn.Sigmoid())])
for layer in net[::2]:
    nn.init.normal_(layer.weight, std=1 / 8, rng=rng)       # Var(W) = 1/n, the usual choice
net(rng.normal(size=(32, 64))).pow(2).mean().backward()
before = {name: p.grad.data for name, p in net.named_parameters()}

length = mg.norms.norm(before.values())
after = hooks.apply_hooks([hooks.ClipNorm(length / 100)], before)
print("layer   ||dL/dW|| before   after clipping   factor")
for k in (0, 12, 24, 36, 49):
    a, b = (np.linalg.norm(grads[f"{2 * k}.weight"]) for grads in (before, after))
    print(f"{k + 1:5d}   {a:16.0e}   {b:14.0e}   {b / a:6.4f}")
longer = sum(np.linalg.norm(after[name]) > np.linalg.norm(g) for name, g in before.items())
print(f"\ngradients that are longer after the clip: {longer} of {len(before)}")

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** *False.* Every layer is multiplied by the same factor, and that factor is never above 1. What had
# vanished is a hundred times smaller still. No seed can change that: it stands in the formula $g \leftarrow g \cdot
# \min(1, c / \lVert g \rVert)$.
#
# ## 2. "It depends" is a verdict, too
#
# "Clipping slows convergence down, because it makes steps smaller." Two of the articles say so. The reason is right:
# no step gets longer. But does the conclusion follow? We need one setting in which a clip slows down, and one in
# which it does not. We count the updates until the slope is below $10^{-3}$.

# %% [markdown] lang="zh"
# **结论。** **不成立。** 每一层都乘以同一个数，而这个数从不大于 1。已经消失的梯度反而又缩小到百分之一。换哪个种子都一样，因为公式就是这么写的：$g \leftarrow g \cdot \min(1, c / \lVert g \rVert)$。
#
# ## 2. “视情况而定”也是一种判定
#
# “裁剪让步子变小，所以收敛变慢。”有两篇文章这么说。理由没有错：没有哪一步会变长。但能推出结论吗？我们要找一个裁剪让收敛变慢的例子，再找一个不变慢的。数一数：斜率降到 $10^{-3}$ 以下，需要更新多少次。

# %%
def updates(f, start, lr, clip=None):
    """Count the updates until the slope is below 1e-3; "never" if the run is thrown out."""
    x = mg.tensor([start], requires_grad=True)
    opt = optim.SGD([x], lr, hooks=[] if clip is None else [hooks.ClipNorm(clip)])
    for count in itertools.count():
        opt.zero_grad()
        f(x).sum().backward()
        slope = abs(x.grad.item())
        if slope < 1e-3:
            return count
        if slope > 1e6:
            return "never"
        opt.step()


print("function   start   rate    clip   updates")
for name, f, start, lr, clip in [
        ("x^2 / 2", lambda x: x ** 2 / 2, 10.0, 0.5, None),
        ("x^2 / 2", lambda x: x ** 2 / 2, 10.0, 0.5, 0.1),
        ("cosh x", np.cosh, 6.0, 0.5, None),
        ("cosh x", np.cosh, 6.0, 0.05, None),
        ("cosh x", np.cosh, 6.0, 0.5, 1.0)]:
    print(f"{name:8}   {start:5g}   {lr:4g}   {clip or '-':>5}   {updates(f, start, lr, clip):>7}")

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** *It depends.* On the parabola the clip makes 14 updates into more than 200: there the slope is as long as
# the way, and a limit on it is just slower. On $\cosh x$ it is the other way round. Far out the slope is huge, so an
# unclipped rate has to be tiny, and crawls when it comes to the flat part. The clipped run can have the rate that the
# flat part wants. "Smaller steps" is true of each step, and says nothing of how many one needs.
#
# ## 3. Let the machine judge
#
# In `minigrad.claims` each claim is an object: what is said (`text`), the measurement (`measure`), and the rule that
# makes a verdict from numbers (`decide`). No verdict is written in. There are five verdicts.

# %% [markdown] lang="zh"
# **结论。** **视情况而定。** 在抛物线上，裁剪把 14 次更新变成了 200 多次：那里斜率和剩下的路一样长，限制斜率只会变慢。在 $\cosh x$ 上正好相反：离得远时斜率巨大，不裁剪就只能用很小的学习率，走到平坦处便只能爬行；裁剪之后，学习率可以按平坦处的需要来取。“步子变小”对每一步都成立，却没有说一共要走多少步。
#
# ## 3. 让机器来裁决
#
# 在 `minigrad.claims` 里，每个说法是一个对象：说了什么（`text`）、怎么测量（`measure`），以及由数字得出判定的规则（`decide`）。没有一个判定是预先写好的。判定有五种：holds（成立）、false（不成立）、depends（视情况而定）、unproven（未获证实：没有效应，或者效应时正时负）、meaningless（无意义：根本没有可测的东西）。

# %%
SLOW = {"small-threshold", "threshold-by-trying", "clip-helps-rnn", "regularise-small",
        "combine-remedies", "clip-slower", "large-and-precise",
        "accumulation-steps"}                           # `minigrad claims` judges these, too
verdicts = {name: claim.judge() for name, claim in claims.CLAIMS.items() if name not in SLOW}

for kind, meaning in claims.VERDICTS.items():
    names = [name for name, v in verdicts.items() if v.verdict == kind]
    print(f"{kind.upper()}, {len(names)} of {len(verdicts)}: {meaning}")
    print(textwrap.fill(", ".join(names), 105, initial_indent="    ", subsequent_indent="    ",
                        break_on_hyphens=False))

# %% slideshow={"slide_type": "slide"}
ROWS = [        # what is said, the id of the claim, a text for what was measured, and its numbers
    ("Clipping cures vanishing gradients", "clip-vanishing",
     "first/last layer {:.0e}, largest factor {:g}",
     "first / last layer", "largest factor on any layer"),
    ("Accumulation cures them", "accumulate-vanishing",
     "first/last layer {:.0e}, changed by {:.0%}",
     "first / last", "change of first / last, mean"),
    ("They vanish far from the input", "where-it-vanishes",
     "smallest in layer {} of {}", "layer of the smallest, vanishing", "layers"),
    ("RNNs are prone to both", "rnn-prone",
     "{:+.0f} to {:+.0f} decades in 100 steps",
     "decades over 100 steps, PyTorch's default", "decades over 100 steps, orthogonal, gain 2"),
    ("A clip makes training steadier", "clip-explosion",
     "longest step {:.0f} without, {:g} with",
     "longest step, plain", "longest step, clipped"),
    ("A clip may reverse a gradient", "clip-reverses",
     "{} signs changed, smallest cosine {:.2f}",
     "signs changed", "smallest cosine, value clip"),
    ("By value or by norm: all the same", "value-or-norm",
     "[100, 1] turned by {:.0f} and {:.0f} degrees",
     "turned by the value clip, degrees", "turned by the norm clip, degrees"),
    ("A clip loses information", "clip-information",
     "restored to {:.0e} (norm), {:.0%} off (value)",
     "error of the gradient restored from a norm clip",
     "error of the gradient restored from a value clip"),
    ("A clip sets its own threshold", "self-adjusting",
     "thresholds used: {}", "thresholds used by ClipNorm"),
    ("A clip prevents NaN", "clip-nan",
     "finite, of 2: {} inside backward, {} after it",
     "finite after an overflow, clipped inside", "finite after an overflow, clipped afterwards"),
    ("Clipping does not suit Adam", "clip-and-adam",
     "way after a spike: {:.1f} without, {:.1f} with",
     "way, Adam, plain", "way, Adam, clipped"),
    ("Clipping changes the accuracy", "accuracy",
     "by {:+.0%}, {:+.0%} and {:+.0%} in three settings",
     "gain, large lr, c = 1", "gain, small lr, c = 100", "gain, small lr, c = 0.01"),
    ("Clipping causes over-fitting", "over-fitting",
     "gap larger in {} and {} of {} seeds",
     "seeds with a larger gap at the same update",
     "seeds with a larger gap at the same training accuracy", "seeds"),
    ("Clipping saves parameters", "fewer-parameters",
     "{} before, {} after",
     "parameters before, clipped", "parameters after, clipped"),
    ("Use it when testing, too", "test-time",
     "gradients formed in a test: {}", "gradients formed"),
    ("Accumulation is a large batch", "accumulate-large-batch",
     "off by {:.0e}, with BatchNorm by {:.0%}",
     "error, 8 x 8", "error, 8 x 8 with BatchNorm"),
    ("Two Chinese words, two methods", "two-words",
     "weights differ by {:g}", "largest difference of the weights"),
    ("The printed TensorFlow loop accumulates", "program-004-tensorflow",
     "off by {:.0%}", "difference to the large batch, as printed"),
]
COLOURS = {"holds": "#009E73", "false": "#D55E00", "depends": "#E69F00"}        # the others: grey

with mg.plot.styled():
    _, ax = plt.subplots(figsize=(11, 0.42 * len(ROWS) + 0.6), dpi=80, layout="constrained")
    for place, (said, name, form, *keys) in enumerate(ROWS):
        v = verdicts[name]
        ax.text(0, place, said, va="center", fontsize=14)
        ax.text(0.47, place, v.verdict.upper(), va="center", ha="center", fontsize=12,
                color="white", weight="bold",
                bbox={"facecolor": COLOURS.get(v.verdict, "#777777"), "lw": 0,
                      "boxstyle": "round,pad=0.25"})
        measured = form.format(*(v.numbers[key] for key in keys))
        ax.text(0.565, place, measured, va="center", fontsize=13)
    ax.set(xlim=(0, 1), ylim=(len(ROWS) - 0.4, -0.6),
           title="What is said about clipping and accumulation, and what was measured")
    ax.axis("off")
plt.show()

# %% [markdown] lang="en" slideshow={"slide_type": "fragment"}
# **What to see.** Go down the middle column: red outweighs green. What holds is what clipping was made for (it keeps
# a step at a cliff from being long), and that recurrent nets are prone to exploding and vanishing. Most of what is red
# says that a clip does *more* than shorten a step: lengthen what vanished, turn, adapt, save memory. Amber rows are
# about the fine print: by norm or by value, inside or after the backward pass, with BatchNorm or without. Grey are
# those for which no measurement speaks, or none can.

# %% [markdown] lang="zh"
# **看什么。** 沿中间一列往下看：红色（FALSE）压过绿色（HOLDS）。成立的，是裁剪本来的用途（在悬崖边不让一步迈得太长），以及循环神经网络确实容易梯度爆炸和梯度消失。红色的大多在说裁剪做了**更多**的事：放大已消失的梯度、转向、自动调整、节省参数。橙色（DEPENDS）的各行关系到适用条件：按范数还是按值，在反向传播之中还是之后，有没有批量归一化。灰色的，是测量没有给出支持，或者根本无从测量。
#
# | 图中各行（从上到下） | 说法 |
# |---|---|
# | Clipping cures vanishing gradients | 裁剪能解决梯度消失 |
# | Accumulation cures them | 梯度累积能解决梯度消失 |
# | They vanish far from the input | 梯度消失发生在远离输入的层 |
# | RNNs are prone to both | 循环神经网络容易梯度爆炸，也容易梯度消失 |
# | A clip makes training steadier | 裁剪使训练更稳定 |
# | A clip may reverse a gradient | 裁剪可能把梯度变成反方向 |
# | By value or by norm: all the same | 按值裁剪和按范数裁剪是一回事 |
# | A clip loses information | 裁剪会损失信息 |
# | A clip sets its own threshold | 裁剪会自动调整阈值 |
# | A clip prevents NaN | 裁剪能防止 NaN |
# | Clipping does not suit Adam | 裁剪不适用于 Adam |
# | Clipping changes the accuracy | 裁剪会影响准确率 |
# | Clipping causes over-fitting | 裁剪会导致过拟合 |
# | Clipping saves parameters | 裁剪能减少参数 |
# | Use it when testing, too | 测试阶段也可以用裁剪 |
# | Accumulation is a large batch | 梯度累积等价于大批量 |
# | Two Chinese words, two methods | “梯度剪切”和“梯度裁剪”是两种方法 |
# | The printed TensorFlow loop accumulates | 文中的 TensorFlow 循环实现了梯度累积 |

# %% slideshow={"slide_type": "slide"}
QUICK = [name for name in verdicts if name not in {
    "vanishing-stalls", "resolution", "clip-explosion", "adaptive-untuned", "clip-and-adam",
    "clip-noise", "accuracy", "over-fitting", "interpretable", "mixed-precision"}]
same = sum(all(claims.find(name).judge(seed).verdict == verdicts[name].verdict
               for seed in (1, 2, 3)) for name in QUICK)
print(f"the same verdict for seeds 0, 1, 2 and 3: {same} of the {len(QUICK)} quick ones\n")

print("article".ljust(42) + "".join(f"{kind:>12}" for kind in claims.VERDICTS))
for number, subject in claims.ARTICLES.items():
    found = [v.verdict for name, v in verdicts.items() if number in claims.find(name).articles]
    counts = "".join(f"{found.count(kind):12d}" for kind in claims.VERDICTS)
    print(f"{number}: {subject.split(':')[0].split(',')[0]}".ljust(42) + counts)

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** Of the 36 judged here 21 fail and 5 hold, and the verdicts do not hang on a seed. Still, four of the five
# articles are right about the one thing for which clipping was invented. Do not quote that score: the eight slow ones
# are missing, and who selects, decides. `minigrad claims` judges all of them in about a minute. The next text on
# clipping that you meet may be right or wrong: ask what would have to be seen, and measure it.
#
# ## 4. Luck, in numbers
#
# Why is "clipping causes over-fitting" *unproven*, and not false? At the same training accuracy the gap between seen
# and new images was larger with the clip in 3 of 6 seeds. A coin does that. Had it been 6 of 6, what then? If the
# clip changed nothing, each seed would be a throw of a fair coin, and six heads come with probability $(1/2)^6 =
# 0.016$. That is how many seeds prove something: enough to make luck a bad explanation.

# %% [markdown] lang="zh"
# **结论。** 这里裁决的 36 个说法中，21 个不成立，5 个成立；判定并不取决于种子。不过，裁剪本来要做的那一件事，五篇中有四篇说对了。请不要引用这个比分：八个较慢的说法不在其中，而挑选样本就是在左右结果。`minigrad claims` 用大约一分钟裁决全部说法。你遇到的下一篇讲裁剪的文章可能对，也可能错：问一问，如果它是对的，应该看到什么？然后去测。
#
# ## 4. 用数字衡量运气
#
# 为什么“裁剪导致过拟合”判为**未获证实**，而不是不成立？在训练准确率相同时，6 个种子中有 3 个，加了裁剪之后，见过的图像与新图像之间的准确率差距变大。抛硬币也是这样。假如是 6 个全都变大呢？如果裁剪毫无影响，每个种子就像抛一次均匀的硬币，连续六次正面的概率是 $(1/2)^6 = 0.016$。需要多少个种子才能说明问题？要多到用运气解释不过去。

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# ## Your turn
#
# Replace `raise NotImplementedError` and run the cell below it.
#
# **Exercise 1.** Write the measurement that decides "a gradient that is too large is cut to the threshold, *or to the
# opposite direction*". `clip` is any function that takes a vector (an array) and returns one; nobody tells you what
# it does. Give it vectors of 5 random numbers of many lengths, from 0.01 to 1000, and return the smallest cosine
# between a vector and what comes out:
#
# $$\cos = \frac{g \cdot \text{clip}(g)}{\lVert g \rVert \, \lVert \text{clip}(g) \rVert}$$

# %% [markdown] lang="zh"
# ## 练习
#
# 把 `raise NotImplementedError` 换成你的代码，再运行下面的单元格。
#
# **练习 1。** 写出能裁决这个说法的测量：“梯度过大时，将其截断为阈值，**或者变成反方向的梯度**。”`clip` 是任意一个函数，接收一个向量（数组），返回一个向量；没有人告诉你它做什么。用 5 个随机数组成的向量去试，长度要有长有短，从 0.01 到 1000，返回输入与输出之间最小的余弦：
#
# $$\cos = \frac{g \cdot \text{clip}(g)}{\lVert g \rVert \, \lVert \text{clip}(g) \rVert}$$

# %% tags=["exercise"]
def answer(clip):
    ### BEGIN SOLUTION
    rng, cosines = np.random.default_rng(0), []
    for length in np.logspace(-2, 3, 51):
        for _ in range(10):
            g = rng.normal(size=5)
            g = g * (length / np.linalg.norm(g))
            out = clip(g)
            cosines.append(g @ out / np.linalg.norm(g) / np.linalg.norm(out))
    return min(cosines)
    ### END SOLUTION


# %% tags=["check"]
check.smallest_cosine(answer)

# %% [markdown] lang="en" tags=["solution"]
# One vector of each length is not enough for a clip by value: how far it turns depends on the direction, too. And
# short vectors alone find nothing at all, as no clip touches them. A measurement that cannot fail decides nothing:
# the check tries yours on clips that do what the claim says, to see whether it notices.

# %% [markdown] lang="zh" tags=["solution"]
# 每种长度只试一个向量，对按值裁剪是不够的：转多少还取决于方向。只试短向量则什么也发现不了，因为裁剪根本不碰短向量。不可能失败的测量什么也裁决不了：批改程序会拿一些真会变成反方向的“裁剪”来试，看你的测量能不能发现。

# %% [markdown] lang="en"
# **Exercise 2.** "Clip each micro-batch, then take the mean: that is nearly the same as clipping the mean." Refute it
# by a counterexample, as strong as can be: return a list of micro-batch gradients (arrays of one shape) such that the
# mean of the *clipped* gradients points *against* their true mean, which means that the scalar product of the two is
# below 0. Each is clipped by its norm at the threshold `c`.

# %% [markdown] lang="zh"
# **练习 2。** “先裁剪每个微批量，再取平均，和先平均再裁剪差不多。”请举一个尽可能强的反例：返回一列微批量的梯度（形状相同的数组），使得**裁剪后**各梯度的平均值与真正的平均值方向**相反**，也就是两者的内积小于 0。每个梯度都按范数以阈值 `c` 裁剪。

# %% tags=["exercise"]
def answer(c):
    ### BEGIN SOLUTION
    return [np.array([10.0 * c]), np.array([-c]), np.array([-c])]
    ### END SOLUTION


# %% tags=["check"]
check.against_the_mean(answer)

# %% [markdown] lang="en" tags=["solution"]
# The mean is $(10c - c - c)/3 > 0$. After the clip all three are equally long, and two outvote one: $(c - c - c)/3 <
# 0$. A mean lets the longest gradient decide, a mean of clipped gradients lets the majority decide. With two
# gradients it cannot be done: the longer one is never the shorter one after a clip. That is why the order of hooks
# matters (tutorial 09).

# %% [markdown] lang="zh" tags=["solution"]
# 平均值是 $(10c - c - c)/3 > 0$。裁剪之后三者一样长，两票对一票：$(c - c - c)/3 < 0$。取平均，由最长的梯度说了算；裁剪之后再平均，由多数说了算。只有两个梯度时做不到：原来较长的那个，裁剪之后也不会变成较短的。钩子的顺序之所以重要，道理就在这里（教程 09）。

# %% [markdown] lang="en"
# **Exercise 3.** A change was for the better in `ups` of `seeds` seeds. If it had no effect, every seed would be a
# throw of a fair coin. Return the probability that `ups` *or more* of them come up heads by chance.

# %% [markdown] lang="zh"
# **练习 3。** 某项改动在 `seeds` 个种子中的 `ups` 个里带来了改善。如果改动毫无作用，每个种子就像抛一次均匀的硬币。返回纯凭运气有 `ups` 个**或更多**正面的概率。

# %% tags=["exercise"]
def answer(ups, seeds):
    ### BEGIN SOLUTION
    throws = list(itertools.product((0, 1), repeat=seeds))
    return sum(sum(heads) >= ups for heads in throws) / len(throws)
    ### END SOLUTION


# %% tags=["check"]
check.by_chance(answer)

# %% [markdown] lang="en" tags=["solution"]
# This counts all $2^n$ ways in which the coins can fall, which is slow for many seeds, and plainly right; the formula
# is $2^{-n} \sum_{k \ge \text{ups}} \binom{n}{k}$. Now the numbers of this tutorial:

# %% [markdown] lang="zh" tags=["solution"]
# 这里数遍了硬币落地的全部 $2^n$ 种可能，种子多时很慢，但显然是对的；公式是 $2^{-n} \sum_{k \ge \text{ups}} \binom{n}{k}$。现在来算这份教程里的数字：

# %% tags=["solution"]
for ups, seeds in [(3, 6), (5, 6), (6, 6), (4, 4), (8, 8)]:
    print(f"{ups} of {seeds}: {answer(ups, seeds):.3f}")

# %% [markdown] lang="en" tags=["solution"]
# **Found.** 5 of 6 happens by luck in one case of nine; 6 of 6 in one of sixty-four. Four seeds that all agree leave
# six per cent for luck. So these tutorials count seeds, and look for effects that are far larger than their scatter.

# %% [markdown] lang="zh" tags=["solution"]
# **结论。** 6 个里有 5 个，凭运气每九次就会碰上一次；6 个全中，六十四次才一次。四个种子全部一致，还给运气留下百分之六的余地。所以这些教程都数种子，并且只看远大于波动的效应。
