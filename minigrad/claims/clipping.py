"""What a clip does to a gradient: its length, its direction, its information, and when it is too late for it."""

import numpy as np

from minigrad import hooks, optim
from minigrad.claims.claim import Claim, enter
from minigrad.claims.drawing import lines
from minigrad.claims.nets import angle, descend, follow, through
from minigrad.experiments import cliff
from minigrad.experiments.experiment import Expected
from minigrad.norms import norm


@enter
class ClipExplosion(Claim):
    """Descent at the cliff of a recurrent net of one unit, plain and clipped at 1 (Pascanu, Mikolov, Bengio 2013, fig.
    6).

    lr = 0.02 from (w, b) = (5.5, -2.85).  A clipped step is at most lr c long.  The plain one meets the wall, is thrown
    out of the plane, and stays where sigma is saturated and E = (1 - 0.7)^2 = 0.09 has no slope.  That the clipped run
    also ends with a smaller loss is so here and no law: at other learning rates a plain run lands well by luck.
    """

    id = "clip-explosion"
    text = "Clipping limits how large gradients are, so that explosions throw no parameters away: training is steadier."
    articles = ("000", "001", "003", "004")
    question = "How long is the longest step at a cliff, without and with clipping, and where does it end?"
    title = "Descent at the cliff: distance from the start"
    expected_verdict = "holds"
    lr, threshold, start = 0.02, 1.0, (5.5, -2.85)
    expected = (
        Expected("longest step, plain", 1.66e3, "a separate computation", 0.02, "relative"),
        Expected("longest step, clipped", 0.02, "at most lr c", 1e-9),
        Expected("loss at the end, plain", 0.09, "saturated: (1 - 0.7)^2", 1e-6),
        Expected("loss at the end, clipped", 1e-4, "a separate computation: 6.5e-6", kind="at most"),
    )

    def measure(self, seed):
        numbers, arrays = {}, {}
        for name, clips in (("plain", ()), ("clipped", (hooks.ClipNorm(self.threshold),))):
            with np.errstate(all="ignore"):                     # the plain run ends in exp of large numbers
                path = descend(lambda p: cliff.loss(p[0:1], p[1:2], 50)[0].sum(), self.start, self.lr, 1500, clips)
                end = cliff.loss(path[-1, 0:1], path[-1, 1:2], 50)[0]
            numbers[f"longest step, {name}"] = float(np.linalg.norm(np.diff(path, axis=0), axis=1).max())
            numbers[f"loss at the end, {name}"] = float(np.asarray(getattr(end, "data", end)).item())
            arrays[name] = np.linalg.norm(path - self.start, axis=1)
        return numbers, arrays

    def decide(self, n):
        bounded = n["longest step, clipped"] <= self.lr * self.threshold * (1 + 1e-9)
        return "holds" if bounded and n["longest step, plain"] > 100 * n["longest step, clipped"] else "false"

    def say(self, n):
        return (f"The longest step is {n['longest step, plain']:.3g} without and {n['longest step, clipped']:.3g} with "
                f"a clip; the losses end at {n['loss at the end, plain']:.2g} and "
                f"{n['loss at the end, clipped']:.1g}.")

    def draw(self, ax, arrays, n):
        lines(ax, {f"{name}: ends at loss {n[f'loss at the end, {name}']:.1g}": arrays[name]
                   for name in ("plain", "clipped")}, "update", "distance from the start", "y")


@enter
class ClipReverses(Claim):
    """Cosine between a gradient and what a clip makes of it.

    A norm clip is one positive factor: cosine 1.  A value clip keeps every sign, so <g, clip(g)> > 0, and the cosine is
    above 1/sqrt(n).  2000 gradients with tails of every weight in 2 to 199 dimensions.
    """

    id = "clip-reverses"
    text = "A gradient above the threshold is cut to the threshold, or to the opposite direction."
    articles = ("000",)
    question = "Does a clip ever point away from the gradient?"
    expected_verdict = "false"
    draws = 2000
    expected = (Expected("smallest cosine, norm clip", 1.0, "one positive factor for all", 1e-12),
                Expected("smallest cosine, value clip", 0.0, "signs are kept, so > 0", kind="at least"),
                Expected("signs changed", 0, "signs are kept", 0))

    def measure(self, seed):
        rng = np.random.default_rng(seed)
        cosines, changed, above = {"norm": [], "value": []}, 0, np.inf
        for _ in range(self.draws):
            g = rng.standard_t(rng.uniform(0.7, 10), size=rng.integers(2, 200))
            for kind, clip in (("norm", hooks.ClipNorm(0.3 * norm([g]))),
                               ("value", hooks.ClipValue(np.median(abs(g))))):
                out = through(clip, g)[0]["0"]
                cosines[kind].append(np.cos(np.radians(angle(g, out))))
                changed += int((np.sign(out) != np.sign(g)).sum())
            above = min(above, cosines["value"][-1] * g.size ** 0.5)
        return {"smallest cosine, norm clip": min(cosines["norm"]), "smallest cosine, value clip":
                min(cosines["value"]), "signs changed": changed, "smallest cosine times sqrt(n), value clip": above}, {}

    def decide(self, n):
        return "holds" if min(n["smallest cosine, norm clip"], n["smallest cosine, value clip"]) < 0 else "false"

    def say(self, n):
        return (f"The smallest cosine between a gradient and its clip is {n['smallest cosine, norm clip']:.6g} by norm "
                f"and {n['smallest cosine, value clip']:.2g} by value, of {self.draws} each; "
                f"{n['signs changed']} signs changed.")


@enter
class ValueOrNorm(Claim):
    """[100, 1] clipped at 1, both ways; and 200 updates on 1/2 (100 x^2 + y^2) from (1, 1), where that is the gradient.

    By norm [100, 1] keeps its direction, by value it becomes [1, 1]: turned by arctan(1) - arctan(1/100) = 44.427
    degrees.  Nor does a value clip bound the norm: 10000 ones stay 100 long.  On the way down, lr = 0.01, a value clip
    lets y fall as if alone, to 0.99^200 = 0.134; a norm clip holds y back for the 100 updates that x needs.
    """

    id = "value-or-norm"
    text = "Clipping by value and clipping by norm are the same thing."
    question = "Do they give the same direction, the same bound, the same path?"
    title = "Two clips at 1 on the same function, 200 updates"
    expected_verdict = "false"
    expected = (Expected("turned by the value clip, degrees", 44.427, "45 degrees - arctan(1/100)", 1e-3),
                Expected("turned by the norm clip, degrees", 0.0, "one factor", 1e-5),
                Expected("norm of 10000 ones after a value clip at 1", 100.0, "c sqrt(n)", 1e-9),
                Expected("y after 200 updates, value", 0.99 ** 200, "never clipped: (1 - lr)^200", 1e-12),
                Expected("y after 200 updates, norm", 0.350, "a separate computation", 1e-3))

    def measure(self, seed):
        g = np.array([100.0, 1.0])
        kinds = {"value": hooks.ClipValue(1.0), "norm": hooks.ClipNorm(1.0)}
        out = {kind: through(clip, g)[0]["0"] for kind, clip in kinds.items()}
        paths = {kind: descend(lambda w: (w * w * [50.0, 0.5]).sum(), (1.0, 1.0), 0.01, 200, (clip,))
                 for kind, clip in kinds.items()}
        ones = np.ones(10_000)
        return {**{f"turned by the {kind} clip, degrees": angle(g, out[kind]) for kind in kinds},
                "norm of 10000 ones after a value clip at 1": norm([through(kinds["value"], ones)[0]["0"]]),
                **{f"y after 200 updates, {kind}": path[-1, 1] for kind, path in paths.items()},
                "distance of the two ends": float(np.linalg.norm(paths["value"][-1] - paths["norm"][-1]))}, paths

    def decide(self, n):
        same = n["turned by the value clip, degrees"] < 1 and n["distance of the two ends"] < 1e-6
        return "holds" if same else "false"

    def say(self, n):
        return (f"[100, 1] is turned by {n['turned by the value clip, degrees']:.1f} degrees by value and "
                f"{n['turned by the norm clip, degrees']:.0g} by norm; a value clip at 1 leaves 10000 ones "
                f"{n['norm of 10000 ones after a value clip at 1']:.0f} long; after 200 updates y is "
                f"{n['y after 200 updates, value']:.3f} against {n['y after 200 updates, norm']:.3f}.")

    def draw(self, ax, arrays, n):
        lines(ax, {f"clipped by {kind}": (path[:, 0], path[:, 1]) for kind, path in arrays.items()}, "x", "y")
        ax.plot(*arrays["norm"][0], "o", color="black")
        ax.annotate("start", arrays["norm"][0], xytext=(-8, 6), textcoords="offset points", ha="right")
        ax.margins(0.08)


@enter
class Information(Claim):
    """What can be got back of a gradient after a clip: 1000 numbers, clipped to a tenth.

    A norm clip changes one number, the length; the coefficient stands in the step's report, and dividing by it gives
    the gradient back to a rounding.  A value clip replaces many numbers by c, and they are lost.
    """

    id = "clip-information"
    text = "Clipping takes information out of the gradient, and so costs performance."
    articles = ("003",)
    question = "How much of a gradient can be got back from its clip?"
    expected_verdict = "depends"
    expected = (Expected("error of the gradient restored from a norm clip", 0.0, "g = clip / coefficient", 1e-14),
                Expected("error of the gradient restored from a value clip", 0.1, "elements are lost", kind="at least"))

    def measure(self, seed):
        g = np.random.default_rng(seed).normal(size=1000)
        numbers = {}
        for kind, clip in (("norm", hooks.ClipNorm(0.1 * norm([g]))), ("value", hooks.ClipValue(0.1 * abs(g).max()))):
            out = through(clip, g)[0]["0"]
            back = out * (norm([g]) / norm([out]))                  # the length is in the report of the step
            numbers[f"error of the gradient restored from a {kind} clip"] = norm([back - g]) / norm([g])
            numbers[f"elements set to the threshold by a {kind} clip"] = int(np.sum(abs(out) == abs(out).max()) - 1)
        return numbers, {}

    def decide(self, n):
        lost = [n[f"error of the gradient restored from a {kind} clip"] > 1e-9 for kind in ("norm", "value")]
        return "holds" if all(lost) else "depends" if any(lost) else "false"

    def say(self, n):
        return (f"By norm only the length goes, and that is on record: the gradient is got back to "
                f"{n['error of the gradient restored from a norm clip']:.0e}; by value it is not, the error is "
                f"{n['error of the gradient restored from a value clip']:.2f} of it.")


@enter
class Formula(Claim):
    """theta - eps grad L, which article 003 gives as the formula of clipping with eps as its coefficient.

    It is plain descent with the learning rate eps: its step grows with the gradient, a clipped one is at most lr c.
    The formula is worked out by hand, in NumPy; the plain and the clipped step are those of ``optim.SGD``.
    """

    id = "formula-003"
    text = "theta - eps grad L(theta) is the formula of clipping, and eps, the clip coefficient, controls the gradient."
    articles = ("003",)
    question = "Is the step of that formula bounded, as a clipped one, or is it that of plain descent?"
    title = "Length of a step against length of the gradient, eps = 0.1"
    expected_verdict = "false"
    expected = (Expected("step of the formula at a gradient of 1e6", 1e5, "eps |g|", 1e-9, "relative"),
                Expected("clipped step at a gradient of 1e6", 0.1, "lr c", 1e-12),
                Expected("largest relative difference to plain descent", 0.0, "the same formula", 1e-12))

    def measure(self, seed):
        sizes, eps, by_hand = np.logspace(-3, 6, 37), 0.1, []
        for g in sizes:
            theta = 0.0
            after = theta - eps * g
            by_hand.append(abs(after - theta))
        step = {name: np.array([abs(follow([[g]], eps, clips, optim.SGD)[-1, 0]) for g in sizes])
                for name, clips in (("plain", ()), ("clipped", (hooks.ClipNorm(1.0),)))}
        return {"step of the formula at a gradient of 1e6": by_hand[-1],
                "plain step at a gradient of 1e6": step["plain"][-1],
                "clipped step at a gradient of 1e6": step["clipped"][-1],
                "largest relative difference to plain descent": max(abs(by_hand / step["plain"] - 1))}, {
                    "gradient": sizes, "formula": np.array(by_hand), "clipped": step["clipped"]}

    def decide(self, n):
        bounded = n["step of the formula at a gradient of 1e6"] <= n["clipped step at a gradient of 1e6"] * (1 + 1e-9)
        plain = n["largest relative difference to plain descent"] < 1e-9
        if bounded == plain:
            return "unproven"                                       # neither of the two, or no clip that acts
        return "holds" if bounded else "false"

    def say(self, n):
        return (f"At a gradient of 1e6 its step is {n['step of the formula at a gradient of 1e6']:.3g}, and that of "
                f"plain descent {n['plain step at a gradient of 1e6']:.3g} (over all lengths they differ by "
                f"{n['largest relative difference to plain descent']:.0e} of it); clipped at 1 it is "
                f"{n['clipped step at a gradient of 1e6']:.3g}.")

    def draw(self, ax, arrays, n):
        lines(ax, {"the formula": (arrays["gradient"], arrays["formula"]),
                   "clipped at 1": (arrays["gradient"], arrays["clipped"])}, "||g||", "length of the step", "xy")


@enter
class AfterUpdate(Claim):
    """The clip before the update, or after it, as article 000 words it: "after each update the gradient is computed and
    clipped".  After the update it comes too late: the next ``zero_grad`` takes it away.  Gradients 3, 40, 0.2, 500.

    The quotation has another reading: after each update the *next* gradient is computed and clipped, for the next
    update.  That is the clip before the update, and nothing is wrong with it; the verdict is on the first reading.
    """

    id = "clip-after-update"
    text = "In training, the gradient is clipped after the parameters have been updated."
    articles = ("000",)
    question = "Does a clip of the gradient that the update has used already change anything?"
    expected_verdict = "false"
    expected = (Expected("difference to no clip at all", 0.0, "what is not used does nothing", 0),)

    def measure(self, seed):
        import minigrad as mg
        from minigrad.nn.utils import clip_grad_norm_

        stream, ends = (3.0, 40.0, 0.2, 500.0), {}
        for when in ("never", "before", "after"):
            w = mg.tensor([0.0], requires_grad=True)
            opt = optim.SGD([w], lr=0.1)
            for g in stream:
                opt.zero_grad()
                (w * g).sum().backward()
                if when == "before":
                    clip_grad_norm_([w], 1.0)
                opt.step()
                if when == "after":
                    clip_grad_norm_([w], 1.0)
            ends[when] = abs(w.data[0])
        return {"difference to no clip at all": abs(ends["after"] - ends["never"]),
                **{f"way travelled, clip {when}": float(way) for when, way in ends.items()}}, {}

    def decide(self, n):
        return "false" if n["difference to no clip at all"] == 0 else "holds"

    def say(self, n):
        return (f"Clipped after the update the way travelled is {n['way travelled, clip after']:.4g}, as without a "
                f"clip; clipped before it, {n['way travelled, clip before']:.4g}, and that is "
                f"the other reading of the words: the next gradient, clipped for the next update.")
