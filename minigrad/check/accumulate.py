"""Tutorial 09, accumulation: combining means, clip before or after, windows with a last one that is not full."""

from functools import partial
from itertools import pairwise

import numpy as np

import minigrad as mg
from minigrad import optim
from minigrad.check.exam import Case, examine, short
from minigrad.hooks import Accumulate, ClipNorm, Pipeline, apply_hooks


def combine_means(answer):
    """Check ``answer(means, sizes)``: the mean over all items, from the means of micro-batches and their sizes.

    Oracle: an invariance.  Items are drawn, split and averaged; how they were split must not matter.

    Args:
        answer: a function of a list of numbers or arrays and a list of whole numbers that returns a number or an
            array.

    Returns:
        1 if it is right for all inputs, else 0.

    Example:
        >>> combine_means(lambda means, sizes: np.mean(means, axis=0))
        combine_means: not yet right for means = [2, 18], sizes = [4, 1]: expected 5.2, received 10. Hint: the mean of \
the means lets each item of a small part count more.
        0
    """
    def judge(got, means, sizes, expected):
        got = np.asarray(got, dtype=float)
        if got.shape != np.shape(expected):
            return "return one gradient, of the shape of each mean"
        total = sum(m * np.asarray(g) for m, g in zip(sizes, means))
        for wrong, hint in ((expected, ""), (total, "this is the sum over all items; divide by their number"),
                            (np.mean(means, axis=0), "the mean of the means lets each item of a small part count more"),
                            (sum(means), "this is the sum of the means; an item's weight is 1 / sum(sizes)"),
                            (total / len(sizes), "divide by the number of items, not of micro-batches")):
            if np.allclose(got, wrong, rtol=1e-9, atol=1e-12):
                return hint
        return "mean times size is a sum; add the sums, and divide by the number of all items"

    rng = np.random.default_rng(0)
    cases = []
    for parts in ([[2.0]], [[3.0, 1.0, 2.0]], [[1.0], [5.0]], [[2.0] * 4, [18.0]],
                  *([rng.normal(size=(m, *shape)) for m in sizes]
                    for shape, sizes in (((), (2, 2)), ((3,), (1, 7)), ((2, 2), (1, 7, 24, 32))))):
        means, sizes = [np.mean(part, axis=0) for part in parts], [len(part) for part in parts]
        expected = np.mean(np.concatenate(parts), axis=0)
        cases.append(Case(f"means = {short(means)}, sizes = {short(sizes)}", (means, sizes), expected,
                          partial(judge, means=means, sizes=sizes, expected=expected)))
    return examine("combine_means", answer, cases)


def two_orders(answer):
    """Check ``answer(grads, c)``: micro-batches accumulated then clipped, and clipped then accumulated.

    Oracle: the engine, with ``[Accumulate, ClipNorm]`` and ``[ClipNorm, Accumulate]``.

    Args:
        answer: a function of a list of vectors and a threshold that returns two vectors.

    Returns:
        1 if it is right for all inputs, else 0.

    Example:
        >>> two_orders(lambda grads, c: (np.mean(grads, axis=0), np.mean(grads, axis=0)))
        two_orders: not yet right for grads = [[3, 4]], c = 1: expected [[0.6, 0.8], [0.6, 0.8]], received [[3, 4], \
[3, 4]]. Hint: accumulated, then clipped: a norm of 5 is longer than the threshold.
        0
    """
    def judge(got, grads, c, expected):
        got = [np.asarray(g, dtype=float) for g in got]
        if [g.shape for g in got] != [grads[0].shape] * 2:
            return "return two vectors, each of the shape of one gradient"
        first, second = got
        # PyTorch's clip divides by the norm + 1e-6; who does so, too, is right.
        right = [np.allclose(a, b, rtol=1e-5, atol=1e-7) for a, b in zip(got, expected)]
        if all(right):
            return ""
        if np.allclose(first, expected[1]) and np.allclose(second, expected[0]):
            return "the other way round: first accumulated then clipped, and second clipped then accumulated"
        what, got = ("clipped, then accumulated", second) if right[0] else ("accumulated, then clipped", first)
        wanted = expected[right[0]]
        length, k = np.linalg.norm(got), len(grads)
        if k > 1 and np.allclose(got, k * wanted):
            return f"{what}: to accumulate is to take the mean, not the sum"
        if not right[0] and k > 1 and np.allclose(got, engine([ClipNorm(c)], [sum(grads)])):
            return f"{what}: to accumulate is to take the mean, not the sum"
        if right[0] and np.allclose(got, running(grads, c)):
            return f"{what}: clip each gradient by itself, not what has been summed so far"
        if right[0] and k > 1 and np.allclose(got, expected[0]):
            return f"{what}: this is the first order again; clip each gradient by itself, then take the mean"
        if length > c * (1 + 1e-9):
            return f"{what}: a norm of {length:.4g} is longer than the threshold"
        if np.allclose(got * np.linalg.norm(wanted), wanted * length):
            if np.allclose(wanted, np.mean(grads, axis=0)):
                return f"{what}: what is shorter than the threshold stays as it is"
            return f"{what}: this is {length:.4g} long, and should be {np.linalg.norm(wanted):.4g}"
        return f"{what}: clip by the norm of the whole vector, so that its direction stays"

    cases = []
    for rows, c in [([[0.5]], 1.0), ([[3.0, 4.0]], 1.0), ([[0.5], [0.1]], 1.0), ([[10.0], [-9.0]], 1.0),
                    ([[2.0, 0.0], [0.0, 2.0]], 1.0), ([[0.3, 0.4], [30.0, -40.0]], 1.0), ([[0.0, 0.0], [0.0, 8.0]],
                    2.0), (np.random.default_rng(0).normal(size=(8, 5)), 0.7)]:
        grads = [np.array(row) for row in rows]
        expected = (engine([Accumulate(len(grads)), ClipNorm(c)], grads),
                    engine([ClipNorm(c), Accumulate(len(grads))], grads))
        cases.append(Case(f"grads = {short(grads)}, c = {c:g}", (grads, c), expected,
                          partial(judge, grads=grads, c=c, expected=expected)))
    return examine("two_orders", answer, cases)


def run_windows(answer):
    """Check ``answer(gradients, weights, every)``: the updates that windows of micro-batches make, the last one too.

    Oracle: the engine: SGD at a rate of 1 with ``Accumulate(every)``, and ``flush()`` at the end.

    Args:
        answer: a function of two lists of numbers and a whole number that returns a list of numbers.

    Returns:
        1 if it is right for all inputs, else 0.

    Example:
        >>> run_windows(lambda gradients, weights, every: [sum(gradients) / len(gradients)])
        run_windows: not yet right for gradients = [1, 2], weights = [1, 1], every = 1: expected [1, 2], received \
[1.5]. Hint: there are 2 windows, and 1 update was returned.
        0
    """
    def judge(got, gradients, weights, every, expected):
        got = [float(u) for u in got]
        if len(got) != len(expected):
            if len(got) == len(gradients) // every:
                return "the last window is not full, and makes an update all the same"
            return (f"there {'is' if len(expected) == 1 else 'are'} {len(expected)} window{'s' * (len(expected) != 1)}"
                    f", and {len(got)} update{'s were' if len(got) != 1 else ' was'} returned")
        if np.allclose(got, expected, rtol=1e-9, atol=1e-12):
            return ""
        k = next(i for i, (a, b) in enumerate(zip(got, expected)) if not np.isclose(a, b, rtol=1e-9, atol=1e-12))
        g, m = (values[k * every:(k + 1) * every] for values in (gradients, weights))
        which = f"update {k + 1}: "
        if len(g) < every and np.isclose(got[k] * every, sum(a * b for a, b in zip(g, m))):
            return f"{which}the window that is not full is divided by the weights in it"
        if np.isclose(got[k], sum(g) / len(g)):
            return f"{which}the mean is weighted: sum of weight times gradient, divided by the sum of the weights"
        if np.isclose(got[k], sum(a * b for a, b in zip(g, m))):
            return f"{which}this is the sum; divide by the sum of the weights in the window"
        if np.isclose(got[k], sum(a * b for a, b in zip(g, m)) / len(g)):
            return f"{which}divide by the sum of the weights, not by their number"
        if k and np.isclose(got[k], mean(gradients[:(k + 1) * every], weights[:(k + 1) * every])):
            return f"{which}begin with an empty sum in each window"
        return f"{which}it is the weighted mean of {short(list(g))} with weights {short(list(m))}"

    cases = []
    for gradients, weights, every in [
            ([1.0], [1], 1), ([1.0, 2.0], [1, 1], 1), ([1.0, 2.0], [1, 1], 2), ([1.0, 2.0, 3.0, 4.0], [1, 1, 1, 1], 2),
            ([1.0, 2.0, 3.0, 4.0, 5.0], [1, 1, 1, 1, 1], 2), ([1.0, 5.0], [3, 1], 2), ([4.0], [8], 4),
            ([1.0, 5.0, -2.0, 4.0, 6.0], [3, 1, 2, 2, 1], 3), ([0.5] * 7, [2] * 7, 10)]:
        expected = windows(gradients, weights, every)
        cases.append(Case(f"gradients = {short(gradients)}, weights = {short(weights)}, every = {every}",
                          (gradients, weights, every), expected,
                          partial(judge, gradients=gradients, weights=weights, every=every, expected=expected)))
    return examine("run_windows", answer, cases)


def engine(hooks, grads):
    """Return what hooks let through when these gradients come one after the other, with equal weights."""
    pipeline = Pipeline(hooks)
    for g in grads:
        out = apply_hooks(pipeline, {"g": g})
    return out["g"]


def running(grads, c):
    """Return what comes of clipping the running sum again and again, divided by the number of gradients."""
    total = np.zeros_like(grads[0])
    for g in grads:
        total = engine([ClipNorm(c)], [total + g])
    return total / len(grads)


def mean(gradients, weights):
    """Return a weighted mean."""
    return sum(g * m for g, m in zip(gradients, weights)) / sum(weights)


def windows(gradients, weights, every):
    """Return how far SGD at a rate of 1 moves a parameter in each update."""
    w = mg.tensor([0.0], requires_grad=True)
    opt, places = optim.SGD([w], lr=1.0, hooks=[Accumulate(every)]), [0.0]
    for g, weight in zip(gradients, weights):
        w.grad = [g]
        if opt.step(weight=weight).status == "step":
            places.append(w.item())
    if opt.flush() is not None:
        places.append(w.item())
    return [a - b for a, b in pairwise(places)]
