"""What does Adam hide?  Two facts about steps that are divided by the gradient's own size (Kingma and Ba 2015).

Adam's step is lr m / (sqrt(v) + eps), and for a constant gradient g that is

    lr |g| / (|g| + eps)

the same for 1e-2 and 1e-6: a vanishing gradient moves its weights as fast as any other, until it comes near eps.  So
a net can train under Adam although its gradient vanishes, and the size of its steps does not show that it does.  (That
the direction of a gradient of 1e-9 is worth following is another matter: see ``mixed_precision``.)

But a rare large gradient is forgotten as fast as the root mean square is.  On f_t(x) = C x if t = 1 mod 3, else -x,
over [-1, 1], the best point is -1 for C > 2; with b1 = 0 and b2 = 1 / (1 + C^2) Adam goes to +1, where it pays
(C - 2) / 3 a step, 2 (C - 2) / 3 more than at -1 (Reddi, Kale and Kumar 2018).  AMSGrad divides by the largest root
mean square so far, and goes to -1, as plain SGD does.  SGD whose gradient is clipped at 1 goes to +1 with Adam: to make
all gradients equally long is to forget the rare large one, whoever does it.
"""

from dataclasses import dataclass

import numpy as np

import minigrad as mg
from minigrad import hooks, optim, plot
from minigrad.experiments.experiment import Expected, Result, quiet
from minigrad.experiments.settings import Settings, setting

QUESTION = "What does Adam hide, and what does it forget?"
SECONDS = 4


@dataclass(frozen=True)
class Config(Settings):
    """What is run."""

    gradients: tuple = setting((1.0, 1e-2, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10), above=0, most=1e10,
                               doc="constant gradients")
    steps: int = setting(1000, least=1, most=1_000_000, doc="steps under each")
    eps: float = setting(1e-8, above=0, most=1, doc="Adam's")
    large: float = setting(4.0, above=2, most=1000, doc="C, the rare gradient of the counter-example")
    updates: int = setting(12_000, least=3, most=10_000_000, doc="updates in the counter-example")
    lr: float = setting(0.5, above=0, most=1, doc="learning rate at t = 1; it falls as 1 / sqrt(t)")


def constant(config, progress):
    """Return the last step under each constant gradient, in units of the learning rate, for Adam and SGD."""
    g, last = np.array(config.gradients), {}
    for name, make in (("Adam", optim.Adam), ("SGD", optim.SGD)):
        w = mg.tensor(np.zeros(len(g)), requires_grad=True)
        opt = make([w], lr=1e-3, **({"eps": config.eps} if name == "Adam" else {}))
        for _ in progress(range(config.steps), f"steps of {name}"):
            before = w.data
            opt.zero_grad()
            (w * g).sum().backward()
            opt.step()
        last[name] = (before - w.data) / opt.lr
    return last


def counter_example(config, make, progress):
    """Return x after each update, from 0, on [-1, 1]."""
    x = mg.tensor([0.0], requires_grad=True)
    opt = make([x])
    path = [0.0]
    for update in progress(range(config.updates), "updates"):
        x.grad = [config.large if update % 3 == 0 else -1.0]
        opt.step()
        x.data = np.clip(x.data, -1.0, 1.0)
        path.append(x.item())
    return np.array(path)


def run(config, progress=quiet):
    """Take steps under constant gradients, and on the counter-example."""
    last = constant(config, progress)
    b2, rate = 1 / (1 + config.large ** 2), lambda update: config.lr / (update + 1) ** 0.5
    makers = {"Adam": lambda params: optim.Adam(params, rate, betas=(0.0, b2)),
              "AMSGrad": lambda params: optim.Adam(params, rate, betas=(0.0, b2), amsgrad=True),
              "SGD": lambda params: optim.SGD(params, rate),
              "SGD, clipped at 1": lambda params: optim.SGD(params, rate, hooks=[hooks.ClipNorm(1.0)])}
    headline, arrays = {}, {"gradient": np.array(config.gradients)}
    for name, steps in last.items():
        arrays[f"step / lr, {name}"] = steps
        for g, step in zip(config.gradients, steps):
            headline[f"step / lr at |g| = {g:g}, {name}"] = float(step)
    slopes = np.where(np.arange(config.updates) % 3 == 0, config.large, -1.0)
    for name, make in makers.items():
        path = arrays[f"path, {name}"] = counter_example(config, make, progress)
        headline[f"x at the end, {name}"] = float(path[-1])
        headline[f"regret per update, {name}"] = float((slopes * (path[:-1] + 1)).mean())
    return Result(config, headline, arrays)


def step_of(g, eps):
    """Return Adam's step in units of the learning rate, for a constant gradient."""
    return abs(g) / (abs(g) + eps)


REDDI = "the counter-example of Reddi, Kale and Kumar 2018"
EXPECTED = (
    *(Expected(f"step / lr at |g| = {g:g}, Adam", step_of(g, Config().eps), "|g| / (|g| + eps)", 1e-6)
      for g in Config().gradients),
    Expected("x at the end, Adam", 1.0, REDDI, 0.02),
    Expected("x at the end, AMSGrad", -0.9985, REDDI, 0.02),
    Expected("regret per update, Adam", 2 * (Config().large - 2) / 3, REDDI, 0.02),
    Expected("regret per update, AMSGrad", 0.0, REDDI, 0.02),
    Expected("x at the end, SGD, clipped at 1", 1.0, "two clipped steps up, one down", 0.02),
)


def answer(result):
    """Return what was found, in a sentence."""
    a, h, config = result.arrays, result.headline, result.config
    shares = a["step / lr, Adam"]
    smallest = a["gradient"][shares > 0.9].min(initial=np.inf)
    return (f"It hides that a gradient vanishes: its step is above 0.9 lr down to |g| = {smallest:g}, and "
            f"{shares[a['gradient'].argmin()]:.2g} lr at {a['gradient'].min():g}.  It forgets a rare gradient of "
            f"{config.large:g}: it goes to x = {h['x at the end, Adam']:.3f}, the worst point, where AMSGrad goes to "
            f"{h['x at the end, AMSGrad']:.3f}, the best.")


def figure(result):
    """Draw the step against the gradient, and the paths on the counter-example."""
    from matplotlib.figure import Figure

    a, config = result.arrays, result.config
    with plot.styled():
        fig = Figure(figsize=(12.5, 5), layout="constrained")
        left, right = fig.subplots(1, 2)
        line = np.geomspace(a["gradient"].min(), a["gradient"].max(), 100)
        left.loglog(line, step_of(line, config.eps), "--", color="black", label="predicted: |g| / (|g| + eps), and |g|")
        left.loglog(line, line, "--", color="black")
        left.loglog(a["gradient"], a["step / lr, Adam"], "o", ms=9, color=plot.style.BLUE, label="Adam")
        left.loglog(a["gradient"], a["step / lr, SGD"], "s", ms=8, color=plot.style.VERMILLION, label="SGD")
        left.axvline(config.eps, color=plot.style.GREY, lw=0.8)
        left.annotate("eps", (config.eps, line[0]), xytext=(4, 0), textcoords="offset points", color=plot.style.GREY)
        left.set(xlabel="constant gradient |g|", ylabel="step / learning rate", title="Adam does not see it vanish")
        left.legend(loc="lower right")
        colours = {"Adam": plot.style.BLUE, "SGD, clipped at 1": plot.style.ORANGE, "SGD": plot.style.VERMILLION,
                   "AMSGrad": plot.style.GREEN}
        shown = np.unique(np.geomspace(1, config.updates, 400).astype(int))
        for name, colour in colours.items():
            right.semilogx(shown, a[f"path, {name}"][shown], color=colour, lw=2, label=name)
        right.set(xlabel="update", ylabel="x", ylim=(-1.1, 1.1),
                  title=f"Gradients {config.large:g}, -1, -1, {config.large:g}, ...: best is -1")
        right.legend(loc="center right")
    return fig
