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
# # 00 · Start here: solutions
#
# Install once, in the folder of the project:
#
#     python -m pip install -e ".[notebook]"
#
# Try the exercises in `00_start_here.ipynb` before you read on.

# %%
import numpy as np

import minigrad as mg
from minigrad import check, nn, optim

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# ## Exercise 1: the factor of a chain
#
# Each step has the derivative $w$, and the chain rule multiplies $T$ of them: $w^T$. With no step at all the end *is*
# the beginning, so the factor is $w^0 = 1$. A negative $w$ makes the sign alternate.


# %% tags=["exercise"]
def answer(w, T):
    ### BEGIN SOLUTION
    return w ** T
    ### END SOLUTION


# %% tags=["check"]
passed_1 = check.chain_factor(answer)

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# ## Exercise 2: clip the norm
#
# There is one norm for all arrays together, and one number that multiplies them all. That is why the direction stays.
# A norm for each array would turn the gradient: for `[[3], [4]]` and a threshold of 2.5 it gives `[[2.5], [2.5]]`.
#
# The test `length <= max_norm` comes first. So a gradient of zeros is returned before anything is divided by its norm.


# %% tags=["exercise"]
def answer(grads, max_norm):
    ### BEGIN SOLUTION
    length = np.sqrt(sum((g ** 2).sum() for g in grads))
    if length <= max_norm:
        return grads
    return [g * (max_norm / length) for g in grads]
    ### END SOLUTION


# %% tags=["check"]
passed_2 = check.clip_norm(answer)

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# ## Exercise 3: a hook that lengthens, too
#
# Divide by the norm, unless it is 0. Written out as $\sqrt{\sum g_i^2}$ the norm would fail for a gradient of
# $10^{-200}$: its square, $10^{-400}$, rounds to 0. `ctx.norm` does not.


# %% tags=["exercise"]
def answer(grads, ctx):
    ### BEGIN SOLUTION
    if ctx.norm == 0:
        return grads
    return {name: g / ctx.norm for name, g in grads.items()}
    ### END SOLUTION


# %% tags=["check"]
passed_3 = check.unit_norm(answer)

# %% [markdown] lang="en" slideshow={"slide_type": "slide"}
# Does this hook cure the vanishing gradient of section 5? Every step is now as long as rate times 1, however short the
# gradient was. Try it on the net with a gain of 0.5.

# %%
inputs = np.linspace(-1, 1, 32)[:, None]
targets = 0.8 * np.sin(3 * inputs)
bar = 0.75 * np.mean((np.sign(inputs) * np.abs(targets).mean() - targets) ** 2)


def train(seed, hook_list, gain, depth=50, width=32, steps=300):
    """Train the net of the tutorial; return how far its first outputs are apart, and the trace of its gradient."""
    rng = np.random.default_rng(seed)
    inner = [nn.Linear(width, width, rng=rng) for _ in range(depth - 2)]
    for layer in inner:
        nn.init.orthogonal_(layer.weight, gain, rng)
    layers = [nn.Linear(1, width, rng=rng), *inner, nn.Linear(width, 1, rng=rng)]
    for layer in layers:
        nn.init.constant_(layer.bias, 0)
    net = nn.Sequential(*[module for layer in layers for module in (layer, nn.Tanh())])
    spread = np.ptp(net(inputs).data)
    trace = mg.NormTrace()
    opt = optim.SGD(net.parameters(), lr=0.1, hooks=hook_list, trace=trace)
    for _ in range(steps):
        loss = nn.functional.mse_loss(net(inputs), targets)
        opt.zero_grad()
        loss.backward()
        opt.step(loss=loss)
    return spread, trace


runs = [train(seed, [answer], gain=0.5) for seed in range(4)]
for seed, (spread, trace) in enumerate(runs):
    norms = trace.column("norm_in", stage=1)[0], trace.column("norm_out", stage=1)[0]
    print(f"seed {seed}: outputs {spread:.1g} apart; first gradient {norms[0]:.2g}, after the hook {norms[1]:.6f}")
learned = [trace.column("loss", stage=0)[-20:].mean() < bar for _, trace in runs]
print(f"{sum(learned)} of {len(learned)} learned the curve")

# %% [markdown] lang="en" slideshow={"slide_type": "fragment"}
# **Found.** The steps are long now, and still nothing is learned. Length was not all that was missing. Look at the
# outputs: at first they are the same for all inputs, up to one part in $10^{14}$. The *signal* has vanished as well, on
# its way forward, and no factor on the gradient brings it back. The tutorial's nets, with a gain of 1.5, did learn.
