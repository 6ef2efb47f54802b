# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
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

# %%
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

# %%
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

# %%
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
    """Print each seed's first gradient norm, and whether the mean of its last 20 losses is below the bar."""
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

# %%
clipped = [train(seed, [hooks.ClipNorm(1.0)]) for seed in range(4)]
report(clipped)

# %% slideshow={"slide_type": "slide"}
seed = 0
traces = [plain[seed][1], clipped[seed][1]]
# The same vertical scale on the left and right. Stage 0 is the gradient as it came, if there is no clip.
lanes = mg.plot.Lanes(*[trace.column(name, stage=trace.clip_stage() or 0)
                        for trace in traces for name in ("norm_in", "norm_out")])

with mg.plot.styled():
    _, axes = plt.subplots(2, 2, figsize=(10, 7), dpi=90, layout="constrained", height_ratios=(3, 2))
    for column, (runs, what) in enumerate([(plain, "no clipping"), (clipped, "clipped at 1")]):
        mg.plot.norms(traces[column], axes[0, column], lanes=lanes,
                      title=f"Gradient norm per step, {what} (seed {seed})")
        below = axes[1, column]
        for net, _ in runs:
            below.plot(inputs, net(inputs).data, color="#0072B2", label="nets" if net is runs[0][0] else None)
        below.plot(inputs, targets, "k--", label="target")
        below.set(title=f"What 4 nets learned, {what}", xlabel="input", xticks=(-1, 0, 1), yticks=(-1, 0, 1))
        below.legend(loc="upper left")
plt.show()

# %% [markdown] lang="en" slideshow={"slide_type": "fragment"}
# **What to see.** Both runs start with the same gradient, 56 long. *Left:* without the clip it leaps to 118. Twenty
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
print(f"\nlength of the step:                      {np.linalg.norm(s):.6f}   (rate 0.1 times threshold 1)")
print(f"cosine of the angle, gradient and step:  {g @ s / np.linalg.norm(g) / np.linalg.norm(s):.6f}\n")
for name in ("0.weight", "48.weight", "98.weight"):
    share = np.linalg.norm(step[name]) / (0.1 * np.linalg.norm(gradient[name]))
    print(f"{name:>9}: norm of the gradient {np.linalg.norm(gradient[name]):7.3f}, multiplied by {share:.6f}")

# %%
vanishing = [train(seed, [hooks.ClipNorm(1.0)], gain=0.5, steps=50) for seed in range(4)]
report(vanishing)
coefficients = np.concatenate([trace.column("coefficient", hook="ClipNorm") for _, trace in vanishing])
low, high = coefficients.min(), coefficients.max()
print(f"clip coefficient over all {len(coefficients)} steps: from {low:g} to {high:g}")

# %%
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
#
# ## Your turn
#
# Replace `raise NotImplementedError` and run the cell below it.
#
# **Exercise 1.** A chain multiplies by $w$ for $T$ steps. By which factor is the gradient at its beginning longer than
# at its end? Return a number, with its sign. What is it for $T = 0$?


# %% tags=["exercise"]
def answer(w, T):
    raise NotImplementedError


# %% tags=["check"]
passed_1 = check.chain_factor(answer)

# %% [markdown] lang="en"
# **Exercise 2.** Write the clip of section 4 yourself. `grads` is a list of arrays, one per parameter. The norm is that
# of all of them together: $\lVert g \rVert = \sqrt{\sum g_i^2}$ over every element of every array. Return a new list,
# and leave the given arrays as they are.


# %% tags=["exercise"]
def answer(grads, max_norm):
    raise NotImplementedError


# %% tags=["check"]
passed_2 = check.clip_norm(answer)

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


# %% tags=["exercise"]
def answer(grads, ctx):
    raise NotImplementedError


# %% tags=["check"]
passed_3 = check.unit_norm(answer)
