"""Clipping and the optimizer: whether it is one, and whether it suits Adam."""

import numpy as np

from minigrad import hooks, optim
from minigrad.claims.claim import Claim, enter
from minigrad.claims.drawing import lines
from minigrad.claims.nets import follow
from minigrad.experiments.experiment import Expected


@enter
class AnOptimizer(Claim):
    """300 gradients of very different lengths, given to clipped SGD, and to SGD whose learning rate is set by hand to
    lr min(1, c / ||g||) in each step.

    A clip by norm moves nothing by itself: it is a rule for the length of the step of the optimizer that it stands
    before, and for SGD the same as a learning rate that depends on the gradient.
    """

    id = "an-optimizer"
    text = "Gradient clipping is an optimization algorithm, beside gradient descent and SGD."
    articles = ("000", "001", "003")
    question = "Does clipped SGD differ from SGD with another learning rate?"
    expected_verdict = "false"
    expected = (Expected("difference to SGD with that learning rate", 0.0, "the same step", 1e-12),)

    def measure(self, seed):
        rng = np.random.default_rng(seed)
        stream = rng.normal(size=(300, 5)) * np.exp(2 * rng.normal(size=(300, 1)))
        clipped = follow(stream, 0.1, [hooks.ClipNorm(1.0)])
        rates = 0.1 * np.minimum(1.0, 1.0 / np.linalg.norm(stream, axis=1))
        steps = [follow([g], rate)[-1] for g, rate in zip(stream, rates)]
        by_hand = np.vstack([np.zeros(5), np.cumsum(steps, axis=0)])
        return {"difference to SGD with that learning rate": float(abs(clipped - by_hand).max()),
                "smallest of these rates / largest": rates.min() / rates.max()}, {}

    def decide(self, n):
        return "false" if n["difference to SGD with that learning rate"] < 1e-9 else "holds"

    def say(self, n):
        return (f"Clipped SGD is SGD with the learning rate lr min(1, c/||g||), to "
                f"{n['difference to SGD with that learning rate']:.0e}; here that rate varies by a factor "
                f"{1 / n['smallest of these rates / largest']:.0f}.")


@enter
class SuitsAdam(Claim):
    """3000 gradients of about 1 in one direction, with one spike of 1000 at step 100, lr = 0.001, c = 1.

    Adam (Kingma, Ba 2015) divides by the root of a mean of g^2 with a memory of about 1000 steps, so that one spike,
    as 1000^2, makes its steps short for thousands of steps; RMSprop with alpha = 0.99 forgets sooner, and loses less.
    With the clip the spike is one gradient like others.  What is true: a clip that acts on *every* step, and cuts them
    alike, means nothing to Adam, which does not mind a constant factor on all gradients.
    """

    id = "clip-and-adam"
    text = "Clipping does not suit Adam or RMSprop."
    articles = ("000",)
    question = "How far do Adam and RMSprop come after a spike, with and without a clip?"
    title = "Way after a spike of 1000 at step 100, lr = 0.001"
    expected_verdict = "false"
    expected = (Expected("way, Adam, clipped", 2.90, "lr per step, 2900 steps", 0.02),
                Expected("way, Adam, plain", 0.19, "a separate computation", 0.01),
                Expected("factor 7 on all gradients, Adam", 0.0, "m / sqrt v", 1e-6))

    def measure(self, seed):
        stream = np.ones((3000, 1))
        stream[100] = 1000.0
        numbers, arrays = {}, {}
        for name, make in (("Adam", optim.Adam), ("RMSprop", optim.RMSprop)):
            for kind, clips in (("plain", ()), ("clipped", (hooks.ClipNorm(1.0),))):
                path = abs(follow(stream, 0.001, clips, make)[:, 0])
                numbers[f"way, {name}, {kind}"], arrays[f"{name}, {kind}"] = float(path[-1] - path[100]), path
        noisy = np.random.default_rng(seed).normal(1.0, 0.5, size=(200, 3))
        numbers["factor 7 on all gradients, Adam"] = float(abs(
            follow(noisy, 0.001, make=optim.Adam)[-1] - follow(7 * noisy, 0.001, make=optim.Adam)[-1]).max())
        return numbers, arrays

    def decide(self, n):
        helped = [n[f"way, {name}, clipped"] > 1.05 * n[f"way, {name}, plain"] for name in ("Adam", "RMSprop")]
        return "false" if all(helped) else "depends" if any(helped) else "holds"

    def say(self, n):
        return (f"After one spike Adam comes {n['way, Adam, plain']:.2f} far in 2900 steps, with a clip "
                f"{n['way, Adam, clipped']:.2f}; RMSprop {n['way, RMSprop, plain']:.2f} and "
                f"{n['way, RMSprop, clipped']:.2f}; a factor of 7 on all gradients moves Adam by "
                f"{n['factor 7 on all gradients, Adam']:.0e}, so that a clip which cuts every step alike does nothing "
                f"for it.")

    def draw(self, ax, arrays, n):
        lines(ax, arrays, "step", "distance from the start",
              styles=[{"ls": ls} for ls in ("-", "-", "--", "--")])
