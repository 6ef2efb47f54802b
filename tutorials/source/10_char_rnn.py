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
# # 10 · A character RNN on real text
#
# **Goal: put it all together, and let six seeds decide.** A recurrent net learns a text letter by letter. Does
# clipping decide whether it learns? Which threshold? And do gates make it unnecessary?
#
# You need tutorials 05 (a recurrent net), 06 (clipping) and the rule of all of them: one run proves nothing. Install
# once, in the folder of the project:
#
#     python -m pip install -e ".[notebook]"
#
# Run the cells from top to bottom. All of it takes about 30 seconds; in a browser, about three minutes. Three exercises
# at the end check themselves.

# %% [markdown] lang="zh"
# # 10 · 用真实文本训练字符级 RNN
#
# **目标：把前面学的全部用上，让六个随机种子来裁决。** 一个循环神经网络逐个字符地学习一段文本。学不学得会，取决于裁剪吗？阈值该取多少？有了门控，还需不需要裁剪？
#
# 需要先学教程 05（循环神经网络）和 06（裁剪），还要记住贯穿全部教程的规矩：一次训练说明不了什么。首次使用时，请在项目文件夹中安装：
#
#     python -m pip install -e ".[notebook]"
#
# 从上到下依次运行各个单元格，全部大约需要 30 秒；在浏览器中大约三分钟。最后有三道自动批改的练习。

# %% tags=["setup"]
from collections import Counter
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np

import minigrad as mg
from minigrad import check, hooks, nn, optim, tasks

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# ## 1. A text, and what counts as having learned
#
# Every Python carries a text, *The Zen of Python* (`import this`). The net reads 40 characters and predicts, after each
# of them, the next one. It gives each possible character $c$ a share $p(c)$. The loss is the mean over all places, in
# nats:
#
# $$L = -\frac{1}{N} \sum_i \ln p(\text{the character that did come})$$
#
# Who gives every character the same share pays $\ln V$, for $V$ different characters. Who counts how often each occurs
# pays less. Who counts which one follows which pays less again: that is a *pair table*, it knows one character of the
# past. A net whose loss ends below that of the pair table has used its memory. **That is our bar.**

# %% [markdown] lang="zh"
# ## 1. 一段文本，以及怎样才算学会
#
# 每个 Python 都自带一段文本：《Python 之禅》（`import this`）。网络读入 40 个字符，每读一个就预测下一个：给每个可能的字符 $c$ 一个概率 $p(c)$。损失对所有位置取平均，单位是奈特（nat）：
#
# $$L = -\frac{1}{N} \sum_i \ln p(\text{the character that did come})$$
#
# （求和号里是“实际出现的那个字符”的概率。）如果给每个字符相同的概率，损失是 $\ln V$，$V$ 是不同字符的个数。数一数各个字符出现的次数，损失就小一些。再数一数谁跟在谁后面，损失更小：这叫**字符对表**（pair table），只知道前面一个字符。网络最终的损失低于字符对表，就说明网络用上了自己的记忆。**这就是我们的及格线。**

# %% tags=["setup"]
text = tasks.zen()
task = tasks.CharTask(text, seq_len=40, batch=8)
V = len(task.alphabet)

pairs, firsts = Counter(pairwise(text)), Counter(text[:-1])
pair_table = -sum(n * np.log(n / firsts[a]) for (a, b), n in pairs.items()) / (len(text) - 1)

print(f"{len(text)} characters, {V} different ones; it begins: {text[:64]!r}\n")
for name, loss in [("the same share for all", np.log(V)), ("counting characters", task.baseline),
                   ("counting pairs (our bar)", pair_table)]:
    print(f"{name:25} {loss:.3f}")

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# ## 2. The net
#
# The layer `kind` (a plain `nn.RNN`, or one with gates) goes over the 40 characters and returns its state $h_t$ at every
# step; a linear layer makes the logits of the next character from it. The weights start as PyTorch starts them: nothing
# is rigged. The learning rate is 2, and plain SGD makes the updates. That is a bold rate, chosen because it learns
# fast, if it learns at all.

# %% [markdown] lang="zh"
# ## 2. 网络
#
# `kind` 这一层（普通的 `nn.RNN`，或者带门控的层）依次读过 40 个字符，返回每一步的隐藏状态 $h_t$；再用一个线性层由它算出下一个字符的 logits。权重按 PyTorch 的默认方式初始化，没有做任何手脚。用最朴素的 SGD，学习率取 2。这个值很大胆；选它，是因为只要学得会，就学得快。

# %% tags=["setup"]
class CharNet(nn.Module):
    """Logits of the next character after each of those that it has read."""

    def __init__(self, kind, hidden, rng):
        self.layer = kind(V, hidden, rng=rng)
        self.out = nn.Linear(hidden, V, rng=rng)

    def forward(self, x, state=None):
        states, state = self.layer(x, state)        # (T, B, hidden), and what it remembers
        return self.out(states), state


def train(seed, clip=None, lr=2.0, kind=nn.RNN, steps=300):
    """Train a net; return it and its gradient's trace. The seed decides the weights and batches."""
    rng = np.random.default_rng(seed)
    net, trace = CharNet(kind, 64, rng), mg.NormTrace()
    own = [] if clip is None else [hooks.ClipNorm(clip)]
    opt = optim.SGD(net.parameters(), lr, hooks=own, trace=trace)
    for _ in range(steps):
        x, y = task.sample(rng)
        loss = nn.functional.cross_entropy(net(x)[0].reshape(-1, V), y.reshape(-1))
        opt.zero_grad()
        loss.backward()
        opt.step(loss=loss)
    return net, trace


def final(trace):
    """Return the mean of the last 20 losses."""
    return trace.column("loss", stage=0)[-20:].mean()


# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# ## 3. Six seeds, twice each
#
# Each seed is run without a clip and with the norm clipped at 0.5. The first weights are the same, the batches are the
# same. We count. *Learned* means: below the pair table. *Thrown out* means: worse than giving every character the same
# share, which is worse than knowing nothing.

# %% [markdown] lang="zh"
# ## 3. 六个种子，各跑两次
#
# 每个种子跑两次：一次不裁剪，一次把范数裁剪到 0.5。初始权重相同，每一批数据也相同。然后数一数。**学会**（learned）是指损失低于字符对表；**被甩出去**（thrown out）是指还不如给每个字符相同的概率，也就是比一无所知还差。

# %%
SEEDS = range(6)
plain = [train(seed) for seed in SEEDS]
clipped = [train(seed, clip=0.5) for seed in SEEDS]

for name, runs in [("no clipping", plain), ("clipped at 0.5", clipped)]:
    ends = np.array([final(trace) for _, trace in runs])
    largest = [trace.column("norm_in", stage=0).max() for _, trace in runs]
    print(f"{name:15} learned: {sum(ends < pair_table)} of 6   "
          f"thrown out: {sum(ends > np.log(V))} of 6   "
          f"norm was above 8 once: {sum(np.array(largest) > 8)} of 6")
print(f"mean final loss, clipped: {np.mean([final(trace) for _, trace in clipped]):.1f}")

# %% slideshow={"slide_type": "slide"}
def draw(ax, runs, title):
    """Draw loss and gradient norm of all seeds on one axis: a thin line each, and the median."""
    for name, dark, light, what in [
            ("loss", "#0072B2", "#A8CDE3", "loss"),
            ("norm_in", "#D55E00", "#F3BE9B", "gradient norm, before any clip")]:
        lines = np.array([trace.column(name, stage=0) for _, trace in runs])
        ax.semilogy(lines.T, color=light, lw=0.7)
        ax.semilogy(np.median(lines, axis=0), color=dark, lw=2, zorder=3, label=what)
    ax.axhline(pair_table, color="black", ls="--", lw=1.5, zorder=4)
    ax.annotate("pair table (the bar)", (296, 2.2), ha="right", va="bottom", zorder=4,
                bbox={"facecolor": "white", "alpha": 0.8, "lw": 0, "pad": 1})
    ax.set(title=title, xlabel="update", xlim=(0, 300), ylim=(0.15, 3e3))


with mg.plot.styled():
    _, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4.6), dpi=85, sharey=True,
                                    layout="constrained")
    left.figure.suptitle("A tanh RNN learns the Zen of Python: "
                         "a thin line per seed, thick the median of six")
    draw(left, plain, "No clipping")
    draw(right, clipped, "Clipped at 0.5")
    right.axhline(0.5, color="#D55E00", ls=":", lw=1.8)
    right.annotate("threshold", (296, 0.46), color="#D55E00", va="top", ha="right")
    left.set_ylabel("loss (nats), gradient norm")
    left.legend(loc="upper left")
plt.show()

# %% [markdown] lang="en" slideshow={"slide_type": "fragment"}
# **What to see.** At first left and right look alike: the blue lines begin to fall, every seed learns. *Left:* then, in
# one seed after the other, the norm and the loss leap up together. The loss rises past everything that needs no net, and
# does not come back. *Right:* the blue lines go down through the bar, all six in one bundle. Now
# look at the orange lines on the right. They are drawn *before* the clip; nobody holds them down. Still they stay near
# 1, where those on the left reach the tens and hundreds. A clip changes the path: it keeps the net out of the places
# where gradients are long.
#
# **Found.** Without a clip no seed learns; with it, all six do.
#
# ## 4. Which threshold?
#
# Tutorial 06 read it off a trace. Pascanu, Mikolov and Bengio advise: take the average norm over a calm run; from half
# of it to ten times of it should do. A calm run has a smaller rate: here a quarter of ours. Then we measure thresholds
# over three decades, each on three seeds.

# %% [markdown] lang="zh"
# **看什么。** 起初左右两边差不多：蓝线开始下降，每个种子都在学。**左**：随后，一个种子接着一个种子，范数和损失一起猛地蹿升；损失越过所有不用网络的办法，再也没有回来。**右**：六条蓝线紧紧聚成一束，一路向下穿过及格线。再看右边的橙线：画的是裁剪**之前**的范数，没有人压着，却一直在 1 附近；左边的则屡屡冲到几十、几百。裁剪改变的是路径，让网络避开了梯度很长的地方。
#
# **结论。** 不裁剪，没有一个种子学会；裁剪，六个全都学会。
#
# ## 4. 阈值取多少？
#
# 教程 06 是根据记录选的。Pascanu、Mikolov、Bengio 的建议是：取一次平稳训练中的平均范数，它的一半到十倍都可以。平稳的训练学习率要小一些，这里取四分之一。然后让阈值跨越三个数量级以上，每个阈值用三个种子测量。

# %%
calm = [train(seed, lr=0.5)[1] for seed in range(3)]
average = np.mean([trace.column("norm_in", stage=0).mean() for trace in calm])
print("at a quarter of the rate, without a clip: "
      f"mean final loss {np.mean([final(t) for t in calm]):.2f}, "
      f"{sum(final(t) < pair_table for t in calm)} of 3 learned; average norm {average:.2f}\n")

thresholds = [0.004, 0.02, 0.1, 0.5, 2.5, 12.5]
window = {}
for c in thresholds:
    runs = clipped[:3] if c == 0.5 else [train(seed, c) for seed in range(3)]
    window[c] = [trace for _, trace in runs]
print("threshold   / average   learned   thrown out")
for c, traces in window.items():
    ends = np.array([final(trace) for trace in traces])
    print(f"{c:9g}   {c / average:9.2g}   "
          f"{sum(ends < pair_table)} of 3    {sum(ends > np.log(V))} of 3")

with mg.plot.styled():
    _, ax = plt.subplots(figsize=(8.5, 3.6), dpi=105, layout="constrained")
    ax.axvspan(average / 2, 10 * average, color="#009E73", alpha=0.12, lw=0,
               label="advice: 1/2 to 10 times the average")
    for c, traces in window.items():
        ax.loglog([c] * 3, [final(trace) for trace in traces], "o", color="#0072B2", ms=7)
    ax.axhline(pair_table, color="black", ls="--", lw=1.5, label="pair table")
    ax.set(title="Final loss over threshold (each dot a seed)", xlabel="threshold",
           ylabel="final loss (nats)")
    ax.legend(loc="upper left")
plt.show()

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** There is a window. *Below it* every step is clipped, and all steps are equally short: a threshold of 0.004
# is a learning rate that is far too small. *Above it* the clip comes too late: at 2.5 the steps, $2 \times 2.5 = 5$
# long, already throw the net out. So the lower part of the advice is right here: 0.5, a little below the average norm,
# is the best of the six. The upper part is not: 2.5 is only four times the average. Advice saves runs, it does not
# replace them.
#
# A smaller rate without a clip learns, too. In the same 300 updates it comes to twice the loss.
#
# ## 5. Do gates make the clip unnecessary?
#
# A GRU and an LSTM pass their state on through *gates*: the new state is a mixture of the old one and a proposal. For
# the GRU
#
# $$h_t = z_t \odot h_{t-1} + (1 - z_t) \odot n_t$$
#
# and where the gate $z_t$ is 1, the state stays as it is, and so does the gradient on its way back. So is all well
# without a clip? We double the rate, and triple it.

# %% [markdown] lang="zh"
# **结论。** 可用的阈值是一个窗口。**低于窗口**，每一步都被裁剪，步步一样短：阈值 0.004 等于把学习率取得太小太小。**高于窗口**，裁剪来得太迟：阈值 2.5 时，一步有 $2 \times 2.5 = 5$ 那么长，已经足以把网络甩出去。所以在这里，建议的下半段是对的：0.5 略低于平均范数，是六个阈值中最好的。上半段则不对：2.5 才是平均范数的四倍，就已经不行了。经验法则能省下不少试验，但代替不了试验。
#
# 学习率小一些，不裁剪也能学会；但同样更新 300 次，损失是裁剪时的两倍。
#
# ## 5. 有了门控，就不用裁剪了吗？
#
# GRU 和 LSTM 通过**门控**传递状态：新状态由旧状态和候选状态混合而成。以 GRU 为例：
#
# $$h_t = z_t \odot h_{t-1} + (1 - z_t) \odot n_t$$
#
# 门 $z_t$ 等于 1 的地方，状态保持不变，往回传的梯度也保持不变。那么不裁剪也万事大吉了吗？我们把学习率加到两倍、三倍试试。

# %%
print("layer   rate   clip   learned   mean final loss   share of steps clipped")
for kind, lr, clip in [(nn.RNN, 6.0, 0.5), (nn.GRU, 4.0, None), (nn.GRU, 6.0, None),
                       (nn.GRU, 6.0, 0.5), (nn.LSTM, 6.0, None)]:
    runs = [train(seed, clip, lr, kind, steps=150) for seed in range(3)]
    ends = np.array([final(trace) for _, trace in runs])
    loss = f"{ends.mean():.1f}" if (ends < pair_table).all() else "(thrown out)"
    share = "-" if clip is None else f"{np.mean([trace.share_clipped() for _, trace in runs]):.0%}"
    print(f"{kind.__name__:5}   {lr:4g}   {clip or '-':>4}   "
          f"{sum(ends < pair_table)} of 3    {loss:>15}   {share:>22}")

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# **Found.** Gates widen the range. The GRU learns at a rate of 4 without a clip; the plain net was thrown out at 2 without
# one, and is at 6 even with one. But gates do not abolish the cliff: at 6 the GRU is thrown out as well. There a clip that
# acts on few of the steps saves all three seeds, and they learn more in 150 updates than at 4. The LSTM, slower to
# learn, needs none yet. So gates and a clip do different things, and go together.
#
# ## 6. Let it write
#
# Give it a beginning, draw the next character with its share, feed it back, go on. That is all.

# %% [markdown] lang="zh"
# **结论。** 门控扩大了可用的范围。学习率为 4 时，GRU 不裁剪也能学会；普通网络不裁剪，学习率为 2 时就已经被甩出去，到了 6，裁剪也救不了它。但门控没有消除悬崖：到 6 时，GRU 同样被甩出去。这时只要裁剪其中少数几步，三个种子就全部得救，而且 150 次更新学到的比学习率为 4 时还多。LSTM 学得慢一些，到这里还不需要裁剪。可见门控和裁剪各管各的事，可以一起用。
#
# ## 6. 让它写
#
# 给一个开头，按概率抽出下一个字符，再喂回去，如此继续。仅此而已。

# %% tags=["setup"]
def write(net, start="The ", length=150,
          shares=lambda logits: nn.functional.softmax(logits, dim=0)):
    """Let a net go on with a text, character by character; `shares` makes shares of its logits."""
    rng, written, state = np.random.default_rng(1), start, None
    feed = [task.alphabet.index(c) for c in start]
    with mg.no_grad():
        for _ in range(length):
            logits, state = net(task.one_hot[feed][:, None], state)
            feed = [rng.choice(V, p=shares(logits.data[-1, 0]))]
            written += task.alphabet[feed[0]]
    return written


# %% slideshow={"slide_type": "subslide"}
untrained = CharNet(nn.GRU, 64, np.random.default_rng(0))
trained, _ = train(0, clip=0.5, lr=6.0, kind=nn.GRU)
print("BEFORE TRAINING:", repr(write(untrained, length=100)))
print("\nAFTER 300 UPDATES (GRU, rate 6, clipped at 0.5):\n" + write(trained))

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# ## Your turn
#
# Replace `raise NotImplementedError` and run the cell below it.
#
# **Exercise 1.** How good is a table that knows the $k$ characters before? For each place $i = k, \dots, n - 1$ of the
# text take the $k$ characters before it. Among all places where the same $k$ characters stand before, which share has
# the character that comes at $i$? Return the mean of $-\ln(\text{share})$ over the $n - k$ places. For $k = 0$ that is
# "counting characters", for $k = 1$ our bar. (`Counter` counts whatever can be a key of a dict.)

# %% [markdown] lang="zh"
# ## 练习
#
# 把 `raise NotImplementedError` 换成你的代码，再运行下面的单元格。
#
# **练习 1。** 一张知道前面 $k$ 个字符的表，能有多好？对文本的每个位置 $i = k, \dots, n - 1$，看它前面的 $k$ 个字符。在前面同样是这 $k$ 个字符的所有位置中，位置 $i$ 上的那个字符占多大比例？返回 $-\ln(\text{share})$（share 即这个比例）对这 $n - k$ 个位置的平均值。$k = 0$ 就是第 1 节的“数各个字符”，$k = 1$ 就是我们的及格线。（`Counter` 可以对任何能当字典键的东西计数。）

# %% tags=["exercise"]
def answer(text, k):
    ### BEGIN SOLUTION
    places = range(k, len(text))
    contexts = Counter(text[i - k:i] for i in places)
    longer = Counter(text[i - k:i + 1] for i in places)
    return -sum(n * np.log(n / contexts[seen[:-1]]) for seen, n in longer.items()) / len(places)
    ### END SOLUTION


# %% tags=["check"]
check.context_loss(answer)

# %% [markdown] lang="en" tags=["solution"]
# A context and the character after it, together, are a piece of $k + 1$ characters. So two counters are enough. How
# much does each further character of the past bring?

# %% [markdown] lang="zh" tags=["solution"]
# 上下文连同后面的那个字符，就是一段 $k + 1$ 个字符，所以两个计数器就够了。每多知道前面一个字符，能带来多少？

# %% tags=["solution"]
for k in range(6):
    print(f"k = {k}: {answer(text, k):.3f}")

# %% [markdown] lang="en" tags=["solution"]
# **Found.** The clipped nets of section 3 ended at 0.7: they know more than a table of the last two characters. A table
# of five characters is nearly perfect here, as this text is short, and it has learned the text by heart. On a new text it
# would be lost; so, most likely, would the net. We measured training losses, and nothing else.

# %% [markdown] lang="zh" tags=["solution"]
# **结论。** 第 3 节中裁剪过的网络最终在 0.7：比只知道前两个字符的表还好。五个字符的表在这里近乎完美，因为文本很短，它把整篇背了下来。换一段新文本，这张表就不行了，网络多半也一样。我们测的是训练损失，仅此而已。

# %% [markdown] lang="en"
# **Exercise 2.** Whoever lets a net write, turns a knob called *temperature* $\tau$: the logits $z$ are divided by it
# before the softmax.
#
# $$p_i = \frac{e^{z_i / \tau}}{\sum_j e^{z_j / \tau}}$$
#
# Return these shares as an array. Logits may be large: $e^{1000}$ overflows, but you may subtract the same number
# from all $z_i$.

# %% [markdown] lang="zh"
# **练习 2。** 让网络写东西时，有一个旋钮叫**温度** $\tau$：logits $z$ 先除以 $\tau$，再做 softmax。
#
# $$p_i = \frac{e^{z_i / \tau}}{\sum_j e^{z_j / \tau}}$$
#
# 以数组返回这些概率。logits 可能很大，$e^{1000}$ 会上溢；不过，你可以从所有 $z_i$ 中减去同一个数。

# %% tags=["exercise"]
def answer(logits, temperature):
    ### BEGIN SOLUTION
    z = (logits - logits.max()) / temperature
    return np.exp(z) / np.exp(z).sum()
    ### END SOLUTION


# %% tags=["check"]
check.with_temperature(answer)

# %% [markdown] lang="en" tags=["solution"]
# Subtracting the largest logit multiplies numerator and denominator by one number, and leaves no exponent above 0. A
# low temperature makes the likely more likely. Listen to the net at three of them:

# %% [markdown] lang="zh" tags=["solution"]
# 减去最大的 logit，相当于分子分母同乘一个数，而指数再也不会大于 0。温度越低，可能性大的字符就越占优势。看看网络在三种温度下怎么写：

# %% tags=["solution"]
net, _ = train(0, clip=0.5, lr=6.0, kind=nn.GRU, steps=150)
for temperature in (0.2, 0.7, 2.0):
    line = write(net, length=70, shares=lambda logits, t=temperature: answer(logits, t))
    print(f"temperature {temperature}: {line!r}")

# %% [markdown] lang="en"
# **Exercise 3.** Count the runs that have learned. `losses` is an array (runs, steps). A run has learned if the mean of
# its last 20 losses (of all, if there are fewer) is *below* `bar`. A run whose last losses are not all finite has not.
# Return one whole number.

# %% [markdown] lang="zh"
# **练习 3。** 数一数有几次训练学会了。`losses` 是形状为 (runs, steps) 的数组，每行一次训练。最后 20 个损失（不足 20 个就取全部）的平均值**低于** `bar`，才算学会。最后这些损失中只要有一个不是有限数，就不算。返回一个整数。

# %% tags=["exercise"]
def answer(losses, bar):
    ### BEGIN SOLUTION
    return int(np.sum(losses[:, -20:].mean(axis=1) < bar))
    ### END SOLUTION


# %% tags=["check"]
check.count_learned(answer)

# %% [markdown] lang="en" tags=["solution"]
# A mean that holds a NaN is NaN, and `NaN < bar` is False: this comparison counts such a run as it should. The other way
# round, "not learned if the mean is at least the bar", it would have passed for learned. And a single loss tells of
# the luck of one batch; look at the thin lines of section 3.

# %% [markdown] lang="zh" tags=["solution"]
# 含有 NaN 的平均值还是 NaN，而 `NaN < bar` 为 False，这样比较恰好把它判为没学会。如果反过来写“平均值不小于及格线才算没学会”，这次训练就蒙混过关了。单独一个损失反映的只是某一批数据的运气，看看第 3 节图里的细线就知道。
