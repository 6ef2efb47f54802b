"""What clipping does to a training: its speed, its accuracy, over-fitting, large models and precise answers."""

import numpy as np

from minigrad import hooks, nn, optim, tasks
from minigrad.claims.claim import Claim, enter
from minigrad.claims.drawing import COLOURS, bars, lines
from minigrad.claims.nets import descend, digits_net, gradients
from minigrad.claims.noise import noisy_descent
from minigrad.experiments.clip_speed import Cosh
from minigrad.experiments.experiment import Expected
from minigrad.nn import functional as F
from minigrad.norms import norm


@enter
class Slower(Claim):
    """Updates until the slope is below 1e-6 on cosh x + cosh y, from (10, 7.3), and below 1e-3 on x^2 / 2, from 100.

    Slower where the threshold binds on all of the way and the curvature is the same everywhere: on x^2 / 2 at lr = 1/2
    and c = 0.01 the way is lr c per update, 20000 updates, where a plain run halves its distance each time.  Faster
    where the curvature grows with the slope: a plain learning rate must suit the steepest place, eta < 2 x0 / sinh x0,
    and then crawls along the flat end; with a clip the rate may be what the flat end wants (Zhang, He, Sra, Jadbabaie
    2020).  The plain run on cosh has 0.99 of that largest rate, the best of seven that ``clip-speed`` tries.
    """

    id = "clip-slower"
    text = "Clipping slows convergence down, because it makes the steps smaller."
    articles = ("001", "003")
    question = "How many updates do a plain and a clipped run need?"
    title = "Updates until the gradient is short"
    expected_verdict = "depends"
    expected = (Expected("updates on cosh from 10, plain", 8253, "a separate computation", 0.01, "relative"),
                Expected("updates on cosh from 10, clipped", 44, "a separate computation", 1),
                Expected("updates on a quadratic from 100, clipped at 0.01", 20_000, "100 / (lr c)", 0.01, "relative"),
                Expected("updates on a quadratic from 100, plain", np.ceil(np.log2(1e5)), "halved in each update", 0))

    def measure(self, seed):
        x0 = 10.0

        def on_cosh(lr, *clips):
            return len(descend(Cosh().value, (x0, 0.73 * x0), lr, 20_000, clips,
                               enough=lambda w: np.hypot(*np.sinh(w)) < 1e-6)) - 1

        def on_square(*clips):
            return len(descend(lambda w: (w * w).sum() * 0.5, (100.0,), 0.5, 40_000, clips,
                               enough=lambda w: abs(w[0]) < 1e-3)) - 1

        return {"updates on cosh from 10, plain": on_cosh(0.99 * Cosh().largest_rate(x0)),
                "updates on cosh from 10, clipped": on_cosh(0.5, hooks.ClipNorm(1.0)),
                "updates on a quadratic from 100, plain": on_square(),
                "updates on a quadratic from 100, clipped at 0.01": on_square(hooks.ClipNorm(0.01))}, {}

    def decide(self, n):
        faster = n["updates on cosh from 10, clipped"] < n["updates on cosh from 10, plain"]
        slower = (n["updates on a quadratic from 100, clipped at 0.01"] > n["updates on a quadratic from 100, plain"])
        return "depends" if faster and slower else "holds" if slower else "false"

    def say(self, n):
        return (f"On cosh x + cosh y a clipped run needs {n['updates on cosh from 10, clipped']} updates and a plain "
                f"one "
                f"{n['updates on cosh from 10, plain']}; on a quadratic from 100, clipped at 0.01, "
                f"{n['updates on a quadratic from 100, clipped at 0.01']} against "
                f"{n['updates on a quadratic from 100, plain']}.")

    def draw(self, ax, arrays, n):
        bars(ax, {"cosh,|plain": n["updates on cosh from 10, plain"],
                  "cosh,|clipped": n["updates on cosh from 10, clipped"],
                  "quadratic,|plain": n["updates on a quadratic from 100, plain"],
                  "quadratic,|clipped at 0.01": n["updates on a quadratic from 100, clipped at 0.01"]},
             "updates", [COLOURS[0], COLOURS[1]] * 2, log=True, form="{:.0f}")


def digits_errors(seed, lr, clips, updates, width=32, hidden=1, gain=1.0, images=None, every=None):
    """Train a net on handwritten digits; return rows (update, accuracy on its images, accuracy on others)."""
    rng = np.random.default_rng(seed)
    net, train, test = digits_net(width, rng, nn.Tanh, hidden), tasks.digits("train"), tasks.digits("test")
    for p in net.parameters():
        if p.ndim > 1:
            p.data = gain * p.data
    x, y = train.x[:images], train.y[:images]
    opt = optim.SGD(net.parameters(), lr=lr, hooks=list(clips))
    rows, every = [], every or updates
    for update in range(1, updates + 1):
        batch = rng.integers(0, len(x), 32)
        opt.zero_grad()
        F.cross_entropy(net(x[batch]), y[batch]).backward()
        opt.step()
        if update % every == 0:
            rows.append((update, *(float((net(a).data.argmax(1) == b).mean()) for a, b in ((x, y), (test.x, test.y)))))
    return np.array(rows)


@enter
class Accuracy(Claim):
    """Accuracy on handwritten digits that were not trained on, three settings, four seeds, with and without a clip.

    A net 64 - 32 - 32 - 32 - 10 of tanh, weights 5 times as large as usual, so that gradients are long: (1) lr = 1, c
    = 1, the step bounded where the plain run is thrown about; (2) lr = 0.02, c = 100, a clip that does not act; (3) lr
    = 0.02, c = 0.01, a clip that always acts and leaves too small a step.
    """

    id = "accuracy"
    text = "Clipping changes the accuracy: it improves stability and accuracy (001), or costs performance (000, 003)."
    articles = ("000", "001", "003")
    question = "How much does the accuracy on new digits change by a clip, in three settings?"
    title = "Accuracy on new digits, mean of 4 seeds"
    expected_verdict = "depends"
    settings = {"large lr, c = 1": (1.0, 1.0), "small lr, c = 100": (0.02, 100.0), "small lr, c = 0.01": (0.02, 0.01)}
    expected = (Expected("gain, small lr, c = 100", 0.0, "a clip that never acts changes nothing", 0.02),)

    def measure(self, seed):
        numbers = {}
        for name, (lr, c) in self.settings.items():
            for kind, clips in (("plain", ()), ("clipped", (hooks.ClipNorm(c),))):
                ends = [digits_errors(seed + k, lr, clips, 300, hidden=3, gain=5.0)[-1, 2] for k in range(4)]
                numbers[f"accuracy, {name}, {kind}"] = float(np.mean(ends))
            numbers[f"gain, {name}"] = numbers[f"accuracy, {name}, clipped"] - numbers[f"accuracy, {name}, plain"]
        return numbers, {}

    def decide(self, n):
        gains = [n[f"gain, {name}"] for name in self.settings]
        better, worse = max(gains) > 0.05, min(gains) < -0.05
        return "depends" if better and worse else "holds" if better or worse else "unproven"

    def say(self, n):
        return "A clip changes the accuracy on new digits by " + ", ".join(
            f"{n[f'gain, {name}']:+.2f} ({name})" for name in self.settings) + "."

    def draw(self, ax, arrays, n):
        bars(ax, {f"{name.replace(', ', ',|')},|{kind}": n[f"accuracy, {name}, {kind}"]
                  for name in self.settings for kind in ("plain", "clipped")}, "accuracy",
             COLOURS[:2] * 3, form="{:.2f}")


@enter
class OverFitting(Claim):
    """Train accuracy minus test accuracy after few and after many updates, 100 digits to learn from, six seeds.

    At the same update the clipped run (c = 0.1) is behind, and so has over-fitted less; stopped at the same accuracy
    on its own images, the difference is another one.  The sign of "how much more does the clipped run over-fit"
    is a matter of the rule by which the runs are stopped, and of the seed: nothing follows.  A seed of which a run
    never comes to 0.99 on its own images has no gap at the same accuracy, and is left out there.
    """

    id = "over-fitting"
    text = "Clipping causes over-fitting."
    articles = ("003",)
    question = "How much larger is the gap between seen and new digits with a clip, under two stopping rules?"
    title = "Gap between seen and new digits, clipped minus plain"
    expected_verdict = "unproven"
    seeds = 6

    def measure(self, seed):
        early, same = [], []
        for k in range(self.seeds):
            plain, clipped = (digits_errors(seed + k, 0.3, clips, 600, images=100, every=10)
                              for clips in ((), (hooks.ClipNorm(0.1),)))
            gap = {name: rows[:, 1] - rows[:, 2] for name, rows in (("plain", plain), ("clipped", clipped))}
            early.append(gap["clipped"][5] - gap["plain"][5])
            learnt = {name: np.flatnonzero(rows[:, 1] >= 0.99)
                      for name, rows in (("plain", plain), ("clipped", clipped))}
            if all(len(there) for there in learnt.values()):
                same.append(gap["clipped"][learnt["clipped"][0]] - gap["plain"][learnt["plain"][0]])
        return {"extra gap at the same update": float(np.mean(early)),
                "seeds with a larger gap at the same update": int(np.sum(np.array(early) > 0)),
                "extra gap at the same training accuracy": float(np.mean(same)) if same else 0.0,
                "seeds with a larger gap at the same training accuracy": int(np.sum(np.array(same) > 0)),
                "seeds that come to the same training accuracy": len(same), "seeds": self.seeds}, {
                    "at the same update": np.array(early), "at the same training accuracy": np.array(same)}

    def decide(self, n):
        counts = [n[f"seeds with a larger gap at the same {what}"] for what in ("update", "training accuracy")]
        if n["seeds that come to the same training accuracy"] < n["seeds"]:
            return "unproven"                                       # one of the two rules stopped too few
        if min(counts) == n["seeds"]:
            return "holds"
        return "false" if max(counts) == 0 else "unproven"

    def say(self, n):
        return (f"With a clip the gap between seen and new digits changes by {n['extra gap at the same update']:+.3f} "
                f"at "
                f"the same update (larger in {n['seeds with a larger gap at the same update']} of {n['seeds']} seeds) "
                f"and by {n['extra gap at the same training accuracy']:+.3f} at the same training accuracy (larger in "
                f"{n['seeds with a larger gap at the same training accuracy']} of "
                f"{n['seeds that come to the same training accuracy']}).")

    def draw(self, ax, arrays, n):
        for place, values in enumerate(arrays.values()):
            ax.plot(np.full(len(values), place) + np.linspace(-0.1, 0.1, len(values)), values, "o", ms=9,
                    color=COLOURS[place])
            if len(values):
                ax.plot([place - 0.25, place + 0.25], [values.mean()] * 2, color="black")
        ax.axhline(0, color="black", lw=1, ls=":")
        ax.set_xticks(range(len(arrays)), [f"stopped {name}".replace("at ", "at\n") for name in arrays])
        ax.set(xlim=(-0.6, 1.6), ylabel="extra gap; a point per seed")


@enter
class LargeAndPrecise(Claim):
    """Descent on x^2 / 2 from 10, lr = 0.02, c = 1, with exact gradients and in skewed noise: the half of the claim
    that speaks of precision, and the only one that is judged.

    Near a minimum the gradient is short and the clip asleep: with exact gradients the last digit is reached as without.
    In skewed noise the gradient never gets short, and a bias stays (see ``clip-noise``).  Of large models there is only
    the norm of all gradients together before the first update (ReLU nets for digits, of three layers, PyTorch's default
    weights, four widths): one c is another share of it.  None of these nets is trained, with a clip or without, so that
    no verdict on large models follows.
    """

    id = "large-and-precise"
    text = "In large models and in tasks that want precision clipping does worse than expected."
    articles = ("001",)
    question = "How near to the optimum does a clipped run come, with exact gradients and in skewed noise?"
    title = "Descent on x^2/2, optimum 0, clipped at 1"
    expected_verdict = "depends"
    widths = (16, 64, 256, 1024)
    expected = (Expected("distance, exact gradients, clipped", 1e-12, "a short gradient is not clipped",
                         kind="at most"),
                Expected("distance, skewed noise, clipped", 1.0, "p (a - c) / (1 - p)", 0.05))

    def measure(self, seed):
        arrays, numbers = {}, {}
        for name, size in (("exact gradients", 0.0), ("skewed noise", 10.0)):
            for kind, c in (("clipped", 1.0), ("plain", np.inf)):
                rng = np.random.default_rng(seed)
                draw = lambda shape, rng=rng, a=size: np.where(rng.random(shape) < 0.1, a, -a / 9)
                path = noisy_descent(c, draw, 0.02, 2500, start=10.0).mean(axis=1)
                numbers[f"distance, {name}, {kind}"] = float(abs(path[-500:].mean()))
                arrays[f"{name}, {kind}"] = abs(path)
        data = tasks.digits("train")
        for width in self.widths:
            lengths = []
            for k in range(4):
                net = digits_net(width, np.random.default_rng(seed + k), hidden=2)
                lengths.append(norm(gradients(net, F.cross_entropy(net(data.x[:256]), data.y[:256])).values()))
            numbers[f"gradient norm at width {width}"] = float(np.mean(lengths))
        return numbers, arrays

    def decide(self, n):
        exact, noisy = (n[f"distance, {name}, clipped"] > 3 * n[f"distance, {name}, plain"] + 1e-6
                        for name in ("exact gradients", "skewed noise"))
        return "holds" if exact and noisy else "depends" if exact or noisy else "false"

    def say(self, n):
        narrow, wide = (n[f"gradient norm at width {width}"] for width in (self.widths[0], self.widths[-1]))
        return (f"With exact gradients a clipped run ends {n['distance, exact gradients, clipped']:.0e} from the "
                f"optimum, "
                f"in skewed noise {n['distance, skewed noise, clipped']:.2g} (without a clip "
                f"{n['distance, skewed noise, plain']:.2g}); large models are not judged: none was trained, only the "
                f"norm at the start goes from {narrow:.2g} at width {self.widths[0]} to {wide:.2g} at "
                f"{self.widths[-1]}.")

    def draw(self, ax, arrays, n):
        lines(ax, {name: np.maximum(array, 1e-18) for name, array in arrays.items()}, "update",
              "|mean of the runs|", "y", [{}, {"ls": "--"}, {}, {"ls": "--", "lw": 1}])
