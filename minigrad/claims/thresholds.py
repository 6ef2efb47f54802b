"""How to choose a threshold: by trying, from small to large, or by a rule."""

import functools

import numpy as np

from minigrad import hooks
from minigrad.claims.claim import Claim, enter
from minigrad.claims.drawing import bars, lines
from minigrad.claims.nets import follow, through
from minigrad.experiments import temporal_order
from minigrad.experiments.experiment import Expected
from minigrad.norms import norm

TRIED = (0.03, 1.0, 3.0, 30.0)
RUNS = 3
FACTORS = (0.5, 1.0, 10.0)
"""Pascanu's rule: half to ten times the average norm; its two ends, and the average itself."""


@functools.cache
def solved_by_threshold(seed):
    """Return how many of RUNS runs solve the temporal order task at each threshold, and the norm of a calm run.

    The net and the task of the experiment ``temporal-order``: 50 units, 20 steps, lr = 0.1, at most 1250 updates.  The
    calm run, for Pascanu's rule, has lr = 0.01, no clip, and at most 2500.
    """
    config = temporal_order.Config(updates=1250)
    counts = [sum(temporal_order.train(config, seed + k, clip).solved for k in range(RUNS)) for clip in TRIED]
    calm = temporal_order.train(temporal_order.Config(updates=2500, lr=0.01), seed)
    return tuple(counts), float(np.mean(calm.norms)), int(calm.solved)


@functools.cache
def solved_by_rule(seed):
    """Return how many of RUNS runs solve the same task at each of FACTORS times the average norm of the calm run."""
    config, average = temporal_order.Config(updates=1250), solved_by_threshold(seed)[1]
    return tuple(sum(temporal_order.train(config, seed + k, factor * average).solved for k in range(RUNS))
                 for factor in FACTORS)


def window_numbers(seed):
    """Return the counts, and the average norm, by name."""
    counts, average, calm = solved_by_threshold(seed)
    return {**{f"solved at {c:g}": count for c, count in zip(TRIED, counts)}, "runs at each": RUNS,
            "average norm of a calm run": average, "solved at lr = 0.01 without a clip, of 1": calm}


def draw_window(ax, n):
    """Draw how many runs are solved at each threshold, and the window of Pascanu's rule."""
    from minigrad import plot

    bars(ax, {f"{c:g}": n[f"solved at {c:g}"] for c in TRIED}, f"solved, of {n['runs at each']}",
         [plot.style.AFTER] * len(TRIED), form="{:.0f}", room=1.3)
    places = np.interp(np.log([0.5 * n["average norm of a calm run"], 10 * n["average norm of a calm run"]]),
                       np.log(TRIED), range(len(TRIED)))
    ax.axvspan(*places, color=plot.style.ORANGE, alpha=0.25, zorder=0, label="0.5 to 10 times the average norm")
    ax.set_xlabel("threshold")
    ax.legend(loc="upper left")


@enter
class SmallThreshold(Claim):
    """Temporal order over 20 steps at lr = 0.1 with thresholds 0.03, 1, 3 and 30, three seeds each.

    There is a window, and it is open at neither end.  Below it every step is cut, so c is a learning rate, and a small
    one (0.3 solves the task too, but needs twice as many updates as 1).  Above it the clip never acts, and the run is
    thrown out where the gradient explodes.  So "raise it until nothing improves" finds the lower edge of the window
    and stops in it; "the smaller the safer" is wrong.
    """

    id = "small-threshold"
    text = "Begin with a small threshold and raise it until nothing improves; a smaller one is the safer."
    articles = ("004",)
    question = "At which thresholds is the task solved?"
    title = "Temporal order, T = 20, lr = 0.1"
    expected_verdict = "depends"
    expected = (Expected("solved at 0.03", 1, "a separate computation: 1 of 4", kind="at most"),
                Expected("solved at 1", 2, "a separate computation: 4 of 4", kind="at least"),
                Expected("solved at 3", 2, "a separate computation: 4 of 4", kind="at least"),
                Expected("solved at 30", 1, "a separate computation: 0 of 4", kind="at most"))

    def measure(self, seed):
        return window_numbers(seed), {}

    def decide(self, n):
        counts = [n[f"solved at {c:g}"] for c in TRIED]
        best = max(counts)
        if best == 0:
            return "unproven"
        climbs = counts.index(best) > 0 and counts[:counts.index(best) + 1] == sorted(counts[:counts.index(best) + 1])
        smallest_is_safe = counts[0] == best
        return "holds" if smallest_is_safe else "depends" if climbs else "false"

    def say(self, n):
        counts = ", ".join(f"{n[f'solved at {c:g}']} at {c:g}" for c in TRIED)
        return (f"Of {n['runs at each']} runs each these solve the task: {counts}: raising finds a window, and the "
                f"smallest is not the safest." if n[f"solved at {TRIED[0]:g}"] < n["runs at each"] else
                f"Of {n['runs at each']} runs each these solve the task: {counts}.")

    def draw(self, ax, arrays, n):
        draw_window(ax, n)


@enter
class ByTrying(Claim):
    """The same runs, and three more at each of three thresholds of a rule that tries nothing: half to ten times the
    average norm of a run at a small learning rate (Pascanu, Mikolov, Bengio 2013).

    Trying finds a threshold that works.  The rule finds one at its lower end and at the average itself; its upper end
    is outside of the window here.  That a rule finds one, too, is nothing against trying; the claim would be false
    where only the rule found one.
    """

    id = "threshold-by-trying"
    text = "A good threshold is found by trying several, and taking the one that trains best."
    articles = ("000", "001", "002", "003")
    question = "Does a threshold that was tried solve the task, and would a rule have found one?"
    title = "Temporal order, T = 20, lr = 0.1"
    expected_verdict = "holds"
    expected = (Expected("average norm of a calm run", 2.98, "a separate computation, to the solution", 3, "factor"),
                Expected("solved at 3", 2, "a separate computation: 4 of 4", kind="at least"),
                Expected("solved at 1 times the average norm", 2, "Pascanu, Mikolov, Bengio 2013", kind="at least"))

    def measure(self, seed):
        return window_numbers(seed) | {f"solved at {factor:g} times the average norm": count
                                       for factor, count in zip(FACTORS, solved_by_rule(seed))}, {}

    def decide(self, n):
        counts, half = [n[f"solved at {c:g}"] for c in TRIED], n["runs at each"] / 2
        by_rule = max(n[f"solved at {factor:g} times the average norm"] for factor in FACTORS)
        if max(counts) < half:
            return "false" if by_rule > half else "unproven"
        return "holds" if min(counts) < half else "unproven"        # where all of them work there is nothing to find

    def say(self, n):
        best = max(TRIED, key=lambda c: n[f"solved at {c:g}"])
        average = n["average norm of a calm run"]
        rule = ", ".join(f"{n[f'solved at {factor:g} times the average norm']} at {factor * average:.2g}"
                         for factor in FACTORS)
        return (f"Of those tried, {best:g} solves {n[f'solved at {best:g}']} of {n['runs at each']}; of the rule of "
                f"half to ten times the average norm, {average:.2g}, the lower end, the average and the upper end "
                f"solve: {rule}.")

    def draw(self, ax, arrays, n):
        draw_window(ax, n)
        at = [np.log(factor * n["average norm of a calm run"]) for factor in FACTORS]
        ax.plot(np.interp(at, np.log(TRIED), range(len(TRIED))),
                [n[f"solved at {factor:g} times the average norm"] for factor in FACTORS], "D", ms=6, color="black",
                clip_on=False, label="0.5, 1 and 10 times, run")
        ax.legend(loc="upper left")


@enter
class HelpsRNN(Claim):
    """The same runs: c = 3 against c = 30, which is so large that it hardly ever acts (1 update in 1000 or fewer).

    Learning the task leads through weights at which the gradient explodes (Pascanu, Mikolov, Bengio 2013), and at lr =
    0.1 a plain step throws them away there.  At lr = 0.01 plain SGD often solves the task, too: what a clip does is to
    widen the range of learning rates that work.
    """

    id = "clip-helps-rnn"
    text = "Clipping makes the training of recurrent nets more efficient and better."
    articles = ("004",)
    question = "How many runs at a large learning rate solve the task with a clip, and with one that hardly ever acts?"
    expected_verdict = "holds"
    expected = (Expected("solved at 3", 2, "Pascanu, Mikolov, Bengio 2013", kind="at least"),
                Expected("solved at 30", 1, "as without a clip: 0 of 4", kind="at most"))

    def measure(self, seed):
        return window_numbers(seed), {}

    def decide(self, n):
        difference = n["solved at 3"] - n["solved at 30"]
        return "holds" if difference >= 2 else "false" if difference <= -2 else "unproven"

    def say(self, n):
        return (f"At lr = 0.1 {n['solved at 3']} of {n['runs at each']} runs solve the temporal order task with c = 3 "
                f"and "
                f"{n['solved at 30']} with c = 30, which hardly ever acts; at lr = 0.01 without a clip "
                f"{n['solved at lr = 0.01 without a clip, of 1']} of 1.")


@enter
class SelfAdjusting(Claim):
    """Thresholds at which ClipNorm and ClipValue acted, over gradients of 1e-3 to 1e3, from the step's own record.

    Article 001 sets clipping (caijian) against truncation (jieduan), which are one thing, by this.  In its formula, and
    in its programs, the threshold is a constant; hooks that do adapt theirs (AutoClip, ZClip) are other methods.
    """

    id = "self-adjusting"
    text = "Unlike truncation, gradient clipping adjusts its threshold by itself."
    articles = ("001",)
    question = "How many different thresholds does a clip use over gradients of very different lengths?"
    expected_verdict = "false"
    expected = (Expected("thresholds used by ClipNorm", 1, "the formula's constant", 0),
                Expected("thresholds used by ClipValue", 1, "the formula's constant", 0),
                Expected("thresholds used by AutoClip", 2, "a percentile of what was seen", kind="at least"))

    def measure(self, seed):
        import minigrad as mg
        from minigrad import optim

        stream, numbers = np.logspace(-3, 3, 25), {}
        for clip in (hooks.ClipNorm(1.0), hooks.ClipValue(1.0), hooks.AutoClip(50)):
            w = mg.tensor([0.0], requires_grad=True)
            opt = optim.SGD([w], lr=1.0, hooks=[clip])
            used = set()
            for g in stream:
                w.grad = [g]
                used.add(opt.step().stages[1].threshold)
            numbers[f"thresholds used by {type(clip).__name__}"] = len(used)
        return numbers, {}

    def decide(self, n):
        return "false" if n["thresholds used by ClipNorm"] == n["thresholds used by ClipValue"] == 1 else "holds"

    def say(self, n):
        return (f"Over gradients from 1e-3 to 1e3 a clip by norm used {n['thresholds used by ClipNorm']} threshold, "
                f"one by value {n['thresholds used by ClipValue']}; AutoClip, another method, "
                f"{n['thresholds used by AutoClip']}.")


@enter
class AdaptiveUntuned(Claim):
    """AutoClip at percentiles 10, 50 and 90 on 3000 norms from a lognormal law, and after one gradient of NaN.

    At percentile p it clips about 1 - p/100 of the steps, whatever the norms are (Seetharaman et al. 2020 recommend 10:
    nine steps in ten), so that p is tuned in the place of c.  And published programs keep every norm in their history:
    with one NaN in it np.percentile is NaN, no comparison with it is true, and nothing is clipped any more.  minigrad's
    leaves NaN out.
    """

    id = "adaptive-untuned"
    text = "Adaptive clipping sets its threshold during training and needs no tuning."
    articles = ("001", "004")
    question = "Which share of the steps does AutoClip clip, and what does it do after one NaN?"
    title = "AutoClip: share of 3000 steps that are clipped"
    expected_verdict = "unproven"
    expected = (*(Expected(f"share clipped at percentile {p}", 1 - p / 100, "of equal norms 1 - p/100 are above", 0.02)
                  for p in (10, 50, 90)),
                Expected("published rule, clipped after one NaN", 0.0, "no comparison with NaN is true", 0),
                Expected("minigrad's, clipped after one NaN", 0.9, "NaN is not remembered", 0.05))

    def measure(self, seed):
        rng, numbers = np.random.default_rng(seed), {}
        lengths = np.exp(rng.normal(size=3000))
        for p in (10, 50, 90):
            path = follow(lengths[:, None], 1.0, [hooks.AutoClip(p, history=len(lengths))])
            steps = abs(np.diff(path[:, 0]))
            numbers[f"share clipped at percentile {p}"] = float(np.mean(steps < lengths * (1 - 1e-9)))
        after, clip = lengths[:500], hooks.AutoClip(10)
        through(clip, [np.nan])
        numbers["minigrad's, clipped after one NaN"] = float(np.mean(
            [norm([through(clip, [g])[0]["0"]]) < g * (1 - 1e-9) for g in after]))
        seen, clipped = [np.nan], 0
        for g in after:                                             # the published rule, as it stands
            seen.append(g)
            clipped += bool(g > np.percentile(seen, 10))
        numbers["published rule, clipped after one NaN"] = clipped / len(after)
        return numbers, {}

    def decide(self, n):
        shares = [n[f"share clipped at percentile {p}"] for p in (10, 50, 90)]
        tuned = max(shares) - min(shares) > 0.1                     # then the percentile is what has to be tuned
        poisoned = n["published rule, clipped after one NaN"] < 0.5 * n["minigrad's, clipped after one NaN"]
        return "holds" if not tuned and not poisoned else "unproven"

    def say(self, n):
        return (f"AutoClip clips {n['share clipped at percentile 10']:.0%} of the steps at percentile 10 and "
                f"{n['share clipped at percentile 90']:.0%} at 90: the percentile takes the threshold's place; one NaN "
                f"in its history leaves the published rule clipping "
                f"{n['published rule, clipped after one NaN']:.0%}.")

    def draw(self, ax, arrays, n):
        lines(ax, {"measured": ((10, 50, 90), [n[f"share clipped at percentile {p}"] for p in (10, 50, 90)]),
                   "1 - p/100": ((0, 100), (1, 0))}, "percentile p", "share of steps clipped",
              styles=[{"marker": "o", "ls": "", "ms": 10}, {"ls": "--", "color": "black"}])
