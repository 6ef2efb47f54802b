"""Accumulation: several micro-batches make one update."""

import tracemalloc

import numpy as np

import minigrad as mg
from minigrad import hooks, nn, optim, tasks
from minigrad.claims.claim import Claim, enter
from minigrad.claims.drawing import lines
from minigrad.claims.nets import apart, deep_net, digits_net, follow, gradients, profile
from minigrad.claims.vanishing import DEPTH, WIDTH, sigmoid_net
from minigrad.experiments.experiment import Expected
from minigrad.nn import functional as F
from minigrad.norms import norm


@enter
class AccumulateVanishing(Claim):
    """||dL/dW|| per layer of 50 sigmoid layers, one batch of 32 against eight of 4, their mean and their sum.

    The gradient is linear in the loss: the mean of micro-batches is the gradient of the batch, the sum is k times it,
    in every layer alike.  The ratio of the first layer to the last stays; so it does where gradients explode (tanh,
    Var(W) = 3/n).
    """

    id = "accumulate-vanishing"
    text = "Gradient accumulation solves the problem of gradients that vanish (or explode)."
    articles = ("004",)
    question = "Is the first layer's gradient any nearer to the last's after accumulating?"
    title = "Gradient norm per layer, 50 sigmoid layers"
    expected_verdict = "false"
    expected = (Expected("change of first / last, mean", 0.0, "the same gradient", 1e-10),
                Expected("change of first / last, sum", 0.0, "k in every layer", 1e-10),
                Expected("change of first / last, exploding", 0.0, "the same gradient", 1e-10),
                Expected("factor on the first layer, mean", 1.0, "the same gradient", 1e-10),
                Expected("factor on the first layer, sum", 8.0, "k", 1e-9))

    def measure(self, seed):
        rng = np.random.default_rng(seed)
        net, x = sigmoid_net(rng)
        wanted = rng.normal(size=x.shape)
        # after so many layers all rows of x are alike; what tells them apart is what each is to become
        loss = lambda rows: ((net(x[rows]) - wanted[rows]) ** 2).mean()
        whole, numbers, arrays = profile(gradients(net, loss(slice(None)))), {}, {}
        for reduction in ("mean", "sum"):
            pipeline = hooks.Pipeline([hooks.Accumulate(8, reduction)])
            for micro in range(8):
                out = hooks.apply_hooks(pipeline, gradients(net, loss(slice(4 * micro, 4 * micro + 4))), step=micro)
            arrays[reduction] = found = profile(out)
            numbers[f"change of first / last, {reduction}"] = abs(found[0] / found[-1] / (whole[0] / whole[-1]) - 1)
            numbers[f"factor on the first layer, {reduction}"] = found[0] / whole[0]
        numbers["first / last"] = whole[0] / whole[-1]
        deep = deep_net(nn.Tanh, DEPTH, WIDTH, 3 ** 0.5, bias=0.05 ** 0.5, rng=rng)
        pipeline = hooks.Pipeline([hooks.Accumulate(8)])
        loss = lambda rows: ((deep(x[rows]) - wanted[rows]) ** 2).mean()
        whole_deep = profile(gradients(deep, loss(slice(None))))
        for micro in range(8):
            out = hooks.apply_hooks(pipeline, gradients(deep, loss(slice(4 * micro, 4 * micro + 4))), step=micro)
        found = profile(out)
        numbers["first / last, exploding"] = ratio = whole_deep[0] / whole_deep[-1]
        numbers["change of first / last, exploding"] = abs(found[0] / found[-1] / ratio - 1)
        return numbers, {"whole": whole, **arrays}

    def decide(self, n):
        changes = [n[f"change of first / last, {what}"] for what in ("mean", "sum", "exploding")]
        return "false" if max(changes) < 1e-6 else "holds"

    def say(self, n):
        return (f"First/last layer is {n['first / last']:.1e} before and after, to "
                f"{max(n['change of first / last, mean'], n['change of first / last, sum']):.0e} of it; every layer is "
                f"multiplied by {n['factor on the first layer, mean']:.3g} (mean) or "
                f"{n['factor on the first layer, sum']:.3g} (sum of 8). Where it explodes, first/last stays "
                f"{n['first / last, exploding']:.3g}.")

    def draw(self, ax, arrays, n):
        layers = np.arange(1, DEPTH + 1)
        lines(ax, {"one batch of 32": (layers, arrays["whole"]), "mean of 8 x 4": (layers, arrays["mean"]),
                   "sum of 8 x 4": (layers, arrays["sum"])}, "layer", "||dL/dW||", "y",
              [{"lw": 4}, {"ls": "--"}, {}])


@enter
class LargeBatch(Claim):
    """The gradient of a batch of 64 digits against that of its micro-batches, four ways.

    Equal parts, or unequal ones weighted by their sizes: the same gradient, as the loss is a mean over items.  Unequal
    ones with equal weights: items of small parts count more.  With BatchNorm each part is normalised by its own mean
    and variance, so that it is another function; with a clip per micro-batch the sum is no longer linear.
    """

    id = "accumulate-large-batch"
    text = "Gradient accumulation is the same as a large batch."
    articles = ("004",)
    question = "How far is the accumulated gradient from that of the whole batch?"
    title = "Accumulated gradient against that of the batch of 64"
    expected_verdict = "depends"
    cases = ("8 x 8", "1 + 7 + 24 + 32, weighted", "1 + 7 + 24 + 32, equal weights", "8 x 8 with BatchNorm",
             "8 x 8, each clipped")
    expected = (Expected("error, 8 x 8", 0.0, "linear", 1e-12),
                Expected("error, 1 + 7 + 24 + 32, weighted", 0.0, "linear", 1e-12),
                *(Expected(f"error, {case}", 0.1, "another gradient", kind="at least") for case in cases[2:]),
                Expected("mean of means, (w x)^2 of [1, 1, 1, 1] and [3]", 10.0, "(2 + 18) / 2", 1e-12),
                Expected("weighted, (w x)^2 of [1, 1, 1, 1] and [3]", 5.2, "(4 * 2 + 18) / 5", 1e-12))

    def measure(self, seed):
        rng = np.random.default_rng(seed)
        x, y = tasks.digits("train").sample(rng, 64)
        equal, unequal = np.arange(8, 64, 8), np.cumsum([1, 7, 24])
        numbers = {}
        for case in self.cases:
            net = digits_net(32, np.random.default_rng(seed))
            if "BatchNorm" in case:
                net = nn.Sequential(net[0], net[1], nn.BatchNorm1d(32), *net[2:])
            cuts = equal if case.startswith("8") else unequal
            parts = list(zip(np.split(x, cuts), np.split(y, cuts)))
            whole = gradients(net, F.cross_entropy(net(x), y))
            hook = [hooks.Accumulate(len(parts))]
            if "clipped" in case:
                hook.insert(0, hooks.ClipNorm(0.5 * norm(whole.values())))
            pipeline = hooks.Pipeline(hook)
            for micro, (a, b) in enumerate(parts):
                weight = 1.0 if "equal weights" in case else len(a)
                out = hooks.apply_hooks(pipeline, gradients(net, F.cross_entropy(net(a), b)), step=micro, weight=weight)
            numbers[f"error, {case}"] = apart(out, whole)
        for name, weights in (("mean of means", (1, 1)), ("weighted", (4, 1))):
            pipeline, w = hooks.Pipeline([hooks.Accumulate(2)]), mg.tensor([1.0], requires_grad=True)
            for micro, (values, weight) in enumerate(zip(([1.0] * 4, [3.0]), weights)):
                (g,) = mg.grad(((w * np.array(values)) ** 2).mean(), [w])
                out = hooks.apply_hooks(pipeline, {"w": g.data}, step=micro, weight=weight)
            numbers[f"{name}, (w x)^2 of [1, 1, 1, 1] and [3]"] = float(out["w"][0])
        return numbers, {}

    def decide(self, n):
        equal = [n[f"error, {case}"] < 1e-9 for case in self.cases]
        return "holds" if all(equal) else "depends" if any(equal) else "false"

    def say(self, n):
        return (f"In equal or weighted parts it is, to {n['error, 8 x 8']:.0e}; with parts of unequal size and equal "
                f"weights it is off by {n['error, 1 + 7 + 24 + 32, equal weights']:.0%}, with BatchNorm by "
                f"{n['error, 8 x 8 with BatchNorm']:.0%}, with a clip per part by "
                f"{n['error, 8 x 8, each clipped']:.0%}.")

    def draw(self, ax, arrays, n):
        from minigrad import plot

        values = [n[f"error, {case}"] for case in self.cases]
        colours = [plot.style.BLUE] * 2 + [plot.style.VERMILLION] * 3
        ax.barh(range(len(values)), np.maximum(values, 1e-17), color=colours)
        ax.set_xscale("log")
        ax.set_xlim(1e-17, 1e3)
        ax.set_yticks(range(len(values)), [case.replace(", ", ",\n") for case in self.cases])
        ax.invert_yaxis()
        for place, value in enumerate(values):
            ax.annotate(f"{value:.1g}", (max(value, 1e-17), place), xytext=(5, -4), textcoords="offset points")
        ax.set_xlabel("relative error")


@enter
class LessMemory(Claim):
    """Peak memory of a gradient of 1024 digits: at once, and as 16 micro-batches of 64.

    What backward needs of the forward pass grows with the batch; the accumulated gradient does not.
    """

    id = "accumulate-memory"
    text = "Gradient accumulation allows a larger batch in limited memory."
    articles = ("004",)
    question = "How much memory does the gradient of 1024 images take, at once and in 16 parts?"
    expected_verdict = "holds"
    expected = (Expected("memory at once / in parts", 4.0, "activations of 64 images instead of 1024", kind="at least"),
                Expected("difference of the gradients", 0.0, "linear", 1e-12))

    def measure(self, seed):
        rng = np.random.default_rng(seed)
        x, y = tasks.digits("train").sample(rng, 1024)
        net = digits_net(64, rng, hidden=4)
        sizes, found = {}, {}
        for name, size in (("at once", 1024), ("in parts", 64)):
            parts, pipeline = range(0, 1024, size), hooks.Pipeline([hooks.Accumulate(1024 // size)])
            net.zero_grad()
            tracemalloc.start()
            for micro, k in enumerate(parts):
                found[name] = hooks.apply_hooks(
                    pipeline, gradients(net, F.cross_entropy(net(x[k:k + size]), y[k:k + size])), step=micro)
            sizes[name] = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        return {"megabytes at once": sizes["at once"] / 1e6, "megabytes in parts": sizes["in parts"] / 1e6,
                "memory at once / in parts": sizes["at once"] / sizes["in parts"],
                "difference of the gradients": apart(found["in parts"], found["at once"])}, {}

    def decide(self, n):
        same = n["difference of the gradients"] < 1e-9
        return "holds" if same and n["memory at once / in parts"] > 1.5 else "false"

    def say(self, n):
        return (f"The gradient of 1024 images takes {n['megabytes at once']:.1f} MB at once and "
                f"{n['megabytes in parts']:.1f} MB in 16 parts, and is the same to "
                f"{n['difference of the gradients']:.0e}.")


@enter
class SumOrMean(Claim):
    """Article 004 writes the accumulated gradient as a sum, G = sum g_i, and its program divides each loss by k: a
    mean.

    SGD takes a k times longer step with the sum, so the formula and the program have different learning rates.  Adam
    does not mind a factor on all gradients, but for eps: a step of m / (sqrt v + eps).
    """

    id = "sum-or-mean"
    text = "The accumulated gradient is the sum of the micro-batches', and the program beside the formula forms it."
    articles = ("004",)
    question = "Is the update the same with the sum as with the mean, by SGD and by Adam?"
    expected_verdict = "false"
    expected = (Expected("way with the sum / with the mean, SGD", 8.0, "k", 1e-9),
                Expected("way with the sum / with the mean, Adam", 1.0, "a factor on all gradients", 1e-7))

    def measure(self, seed):
        stream = np.random.default_rng(seed).normal(1.0, 0.5, size=(80, 3))
        numbers = {}
        for name, make in (("SGD", optim.SGD), ("Adam", optim.Adam)):
            ways = [norm([follow(stream, 0.01, [hooks.Accumulate(8, reduction)], make)[-1]])
                    for reduction in ("sum", "mean")]
            numbers[f"way with the sum / with the mean, {name}"] = ways[0] / ways[1]
        return numbers, {}

    def decide(self, n):
        return "holds" if abs(n["way with the sum / with the mean, SGD"] - 1) < 1e-6 else "false"

    def say(self, n):
        return (f"With windows of 8 SGD goes {n['way with the sum / with the mean, SGD']:.4g} times as far with the "
                f"sum "
                f"(formula) as with the mean (program); Adam "
                f"{n['way with the sum / with the mean, Adam']:.9f} times.")


@enter
class MoreSteps(Claim):
    """Digits, SGD at lr = 0.2, micro-batches of 16, windows of 1 to 32; the accuracy on new digits, mean of 4 seeds.

    At a given number of images seen, a window of k makes k times fewer updates, so small windows win as long as the
    noise of the gradient is not what holds the training up; at a given number of updates, a larger window has seen more
    images and is better or equal.  "Until the performance does not rise" therefore ends at 1 in one setting and at the
    largest that was tried in the other.
    """

    id = "accumulation-steps"
    text = "Begin with few accumulation steps and raise their number until the performance rises no more."
    articles = ("004",)
    question = "Is the accuracy higher with a larger window, at the same images seen, and at the same updates?"
    title = "Accuracy on new digits against the window"
    expected_verdict = "depends"
    windows = (1, 4, 16)
    expected = (Expected("accuracy of 16 minus 1, same images", -0.05, "16 times fewer updates", kind="at most"),
                Expected("accuracy of 16 minus 1, same updates", -0.01, "less noise, more images", kind="at least"))

    def accuracy(self, seed, window, micro_batches):
        """Return the accuracy on new digits after so many micro-batches."""
        rng = np.random.default_rng(seed)
        net, train, test = digits_net(32, rng), tasks.digits("train"), tasks.digits("test")
        opt = optim.SGD(net.parameters(), lr=0.2, hooks=[hooks.Accumulate(window)])
        for _ in range(micro_batches):
            x, y = train.sample(rng, 16)
            opt.zero_grad()
            F.cross_entropy(net(x), y).backward()
            opt.step()
        return float((net(test.x).data.argmax(1) == test.y).mean())

    def measure(self, seed):
        arrays = {name: np.array([np.mean([self.accuracy(seed + k, window, count(window)) for k in range(4)])
                                  for window in self.windows])
                  for name, count in (("same images", lambda window: 240),
                                      ("same updates", lambda window: 60 * window))}
        return {**{f"accuracy at {window}, {name}": float(a) for name, found in arrays.items()
                   for window, a in zip(self.windows, found)},
                **{f"accuracy of 16 minus 1, {name}": float(found[-1] - found[0]) for name, found in arrays.items()}
                }, arrays

    def decide(self, n):
        gains = [n[f"accuracy of 16 minus 1, {name}"] for name in ("same images", "same updates")]
        if min(gains) > 0:
            return "holds"
        return "false" if max(gains) < 0 else "depends"

    def say(self, n):
        return (f"From a window of 1 to one of 16 the accuracy changes by "
                f"{n['accuracy of 16 minus 1, same images']:+.2f} at the same number of images, and by "
                f"{n['accuracy of 16 minus 1, same updates']:+.2f} at the same number of updates.")

    def draw(self, ax, arrays, n):
        lines(ax, {name: (self.windows, found) for name, found in arrays.items()}, "window, micro-batches per update",
              "accuracy", "x", [{"marker": "o"}, {"marker": "o"}])
        ax.set_xticks(self.windows, map(str, self.windows))
        ax.minorticks_off()
