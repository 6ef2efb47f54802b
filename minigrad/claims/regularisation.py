"""Gradient regularisation: a penalty on the norm of the gradient, alone and with a clip."""

import functools

import numpy as np

import minigrad as mg
from minigrad import hooks, nn, optim, penalty, tasks
from minigrad.claims.claim import Claim, enter
from minigrad.claims.drawing import COLOURS, bars, lines
from minigrad.claims.nets import digits_net
from minigrad.experiments import cliff
from minigrad.experiments.experiment import Expected
from minigrad.nn import functional as F
from minigrad.norms import norm

LR, CLIP, LAM = 0.03, 0.2, 1.0
WAYS = {"none": (np.inf, 0.0), "clip": (CLIP, 0.0), "penalty": (np.inf, LAM), "both": (CLIP, LAM)}
"""Threshold, and weight of the penalty."""

SEEDS, UPDATES = 4, 200


def path_of(seed, lr, c, lam):
    """Return ||dL/dw||, the length of the update and the loss, update by update, as an array (UPDATES, 3).

    A net 64 - 24 - 24 - 10 of tanh on 128 digits, all at once, SGD on L + lam ||dL/dw||, clipped at c.
    """
    rng = np.random.default_rng(seed)
    net = digits_net(24, rng, nn.Tanh, hidden=2)
    x, y = tasks.digits("train").sample(rng, 128)
    weights = list(net.parameters())
    opt, row = optim.SGD(weights, lr=lr, hooks=[hooks.ClipNorm(c)]), []
    for _ in range(UPDATES):
        opt.zero_grad()
        loss = F.cross_entropy(net(x), y)
        if lam:
            term = penalty.grad_norm_penalty(loss, weights, lam)
            (loss + term).backward()
        else:
            loss.backward()
        report = opt.step()
        length = term.item() / lam if lam else report.stages[0].norm_out
        row.append((length, lr * report.stages[1].norm_out, loss.item()))
    return np.array(row)


@functools.cache
def paths(seed):
    """Return for each of WAYS an array (SEEDS, UPDATES, 3) of what :func:`path_of` returns."""
    return {name: np.array([path_of(seed + k, LR, *way) for k in range(SEEDS)]) for name, way in WAYS.items()}


@enter
class SmallGradients(Claim):
    """The norm ||dL/dw|| along the path, with the penalty lam ||dL/dw|| and without, in two settings, and at a cliff.

    The penalty, by double backward, leads to where the gradient is smaller (Zhao, Zhang, Hu 2022).  At lr = 0.03 and
    lam = 1 it does, and the net is then kept where the gradient is small and nothing is learnt: its loss stays near ln
    10 = 2.30.  At lr = 0.3 and lam = 0.3 the gradients become larger instead.  The penalty adds lam H g / ||g||, a step
    that does not shrink with g, and the stiff directions of H swing.  At the wall of the cliff (w = 5.5), where the
    gradient has exploded, H has exploded more: the penalised gradient is longer by orders of magnitude.  A penalty
    bounds no step.
    """

    id = "regularise-small"
    text = "Gradient regularisation keeps gradients small and so avoids explosion; it suits that better than clipping."
    articles = ("002",)
    question = "How long are gradients along the path with and without a penalty, and how long is the penalised one?"
    title = "||dL/dw|| on the path, digits, mean of 4 seeds"
    expected_verdict = "depends"
    expected = (Expected("mean norm with / without, lr = 0.03", 0.6, "smaller where it is stable", kind="at most"),
                Expected("mean norm with / without, lr = 0.3", 1.2, "larger where it is not", kind="at least"),
                Expected("plain gradient at the cliff", 46488.7 * np.hypot(1, 1 / (1 + np.exp(-0.5))),
                         "closed form of dE/db, and dE/dw = sigma(0.5) dE/db", 0.01, "relative"),
                Expected("penalised / plain gradient at the cliff", 10.0, "H g / ||g|| has exploded, too",
                         kind="at least"))

    def measure(self, seed):
        w = mg.tensor([5.5], requires_grad=True)
        b = mg.tensor(cliff.wall(w.data), requires_grad=True)
        value = cliff.loss(w, b, 50)[0].sum()
        plain = norm([g.data for g in mg.grad(value, [w, b], retain_graph=True)])
        (value + penalty.grad_norm_penalty(value, [w, b], 0.1)).backward()
        found = {"lr = 0.03": (paths(seed)["none"], paths(seed)["penalty"]), "lr = 0.3": tuple(
            np.array([path_of(seed + k, 0.3, np.inf, lam) for k in range(SEEDS)]) for lam in (0.0, 0.3))}
        numbers, arrays = {}, {}
        for name, (without, with_it) in found.items():
            numbers[f"mean norm with / without, {name}"] = with_it[:, :, 0].mean() / without[:, :, 0].mean()
            numbers[f"loss at the end without, {name}"] = float(without[:, -1, 2].mean())
            numbers[f"loss at the end with, {name}"] = float(with_it[:, -1, 2].mean())
            arrays |= {f"{name}, without": without[:, :, 0].mean(0), f"{name}, with": with_it[:, :, 0].mean(0)}
        return {**numbers, "plain gradient at the cliff": plain,
                "penalised / plain gradient at the cliff": norm([w.grad.data, b.grad.data]) / plain}, arrays

    def decide(self, n):
        smaller = [n[f"mean norm with / without, {name}"] < 0.9 for name in ("lr = 0.03", "lr = 0.3")]
        bounded = n["penalised / plain gradient at the cliff"] <= 1
        return "holds" if all(smaller) and bounded else "depends" if any(smaller) or bounded else "false"

    def say(self, n):
        return (f"With a penalty the mean norm is {n['mean norm with / without, lr = 0.03']:.2f} times that without at "
                f"lr 0.03 (and the loss stays at {n['loss at the end with, lr = 0.03']:.2f}), "
                f"{n['mean norm with / without, lr = 0.3']:.2f} times at lr 0.3; at a cliff, where the gradient is "
                f"{n['plain gradient at the cliff']:.1e}, the penalised one is "
                f"{n['penalised / plain gradient at the cliff']:.1e} times longer.")

    def draw(self, ax, arrays, n):
        lines(ax, arrays, "update", "||dL/dw||", "y", [{"ls": "--", "color": COLOURS[0]}, {"color": COLOURS[0]},
                                                       {"ls": "--", "color": COLOURS[1]}, {"color": COLOURS[1]}])


@enter
class Combine(Claim):
    """Digits with no remedy, a clip at 0.2, a penalty (lam = 1), and both; lr = 0.03, four seeds.

    They act at two places, the clip on the update and the penalty on the loss, and each keeps its effect beside the
    other: with both no update is longer than lr c, and the gradients on the path are smaller than with the clip alone.
    """

    id = "combine-remedies"
    text = "Clipping and gradient regularisation can be used together."
    articles = ("002",)
    question = "With both, is the update bounded as by the clip, and are gradients shorter as with the penalty?"
    title = "Mean gradient norm, and 10 x longest update"
    expected_verdict = "holds"
    expected = (Expected("longest update, both", LR * CLIP, "lr c", 1e-9),
                Expected("longest update, clip", LR * CLIP, "lr c", 1e-9),
                Expected("longest update, penalty", LR * CLIP, "nothing bounds it", kind="at least"))

    def measure(self, seed):
        numbers = {}
        for name, rows in paths(seed).items():
            numbers |= {f"mean norm, {name}": float(rows[:, :, 0].mean()),
                        f"norm at the end, {name}": float(rows[:, -1, 0].mean()),
                        f"longest update, {name}": float(rows[:, :, 1].max())}
        return numbers, {}

    def decide(self, n):
        bounded = n["longest update, both"] <= LR * CLIP * (1 + 1e-9) < n["longest update, penalty"]
        shorter = n["mean norm, both"] < n["mean norm, clip"]
        return "holds" if bounded and shorter else "depends" if bounded or shorter else "false"

    def say(self, n):
        return ("The longest update is " + ", ".join(f"{n[f'longest update, {way}']:.2g} ({way})" for way in WAYS)
                + "; the mean norm of the gradient, in this order, "
                + ", ".join(f"{n[f'mean norm, {way}']:.2g}" for way in WAYS) + ".")

    def draw(self, ax, arrays, n):
        bars(ax, {f"norm,|{way}": n[f"mean norm, {way}"] for way in WAYS}
             | {f"update,|{way}": 10 * n[f"longest update, {way}"] for way in WAYS}, "mean of 4 seeds",
             [COLOURS[0]] * 4 + [COLOURS[1]] * 4, form="{:.2f}")
        ax.tick_params(axis="x", labelsize=9)
