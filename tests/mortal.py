"""An experiment for the tests of sweeps: quick, of random numbers, and its seeds fail, die or hang where they are told.

It notes in a folder which seeds were computed, so that tests can count.
"""

import math
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from minigrad import cli, experiments, nn
from minigrad.experiments.experiment import Expected, Result, quiet
from minigrad.experiments.settings import Settings, setting

QUESTION = "Does it live?"
SECONDS = 0.1
NOBODY = (10 ** 6,)


@dataclass(frozen=True)
class Config(Settings):
    """What is run."""

    scale: float = setting(1.0, above=0, may_be_inf=True, doc="of the numbers")
    size: int = setting(20, least=1, most=1000, doc="how many numbers")
    kind: str = setting("tanh", choices=("tanh", "sin"), doc="which function")
    seed: int = setting(0, least=0, doc="the first seed")
    seeds: int = setting(2, least=1, doc="seeds")
    fails: tuple = setting(NOBODY, least=0, doc="seeds that fail")
    dies: tuple = setting(NOBODY, least=0, doc="seeds that end their process")
    stumbles: tuple = setting(NOBODY, least=0, doc="seeds that do so the first time")
    hangs: tuple = setting(NOBODY, least=0, doc="seeds that never end")
    notes: str = setting("", doc="where to note what was computed")


FULL = Config(size=40)


def run(config, progress=quiet):
    """Draw numbers, from generators of its own and from the default one."""
    norms, weight = [], nn.Linear(3, 3).weight.data
    for seed in progress(range(config.seed, config.seed + config.seeds), "seeds"):
        live(config, seed)
        x = np.random.default_rng(seed).normal(size=(config.size, config.size))
        norms.append(float(np.linalg.norm(getattr(np, config.kind)(x @ x))) * min(config.scale, 100))
    headline = {"runs": config.seeds, "norm": max(norms), "nothing": math.nan, "weight": float(weight.sum()),
                "large": int(max(norms) > 18), f"norm of seed {config.seed}": norms[0]}
    return Result(config, headline, {"norms": np.array(norms)})


def live(config, seed):
    """Note that a seed is computed, and end as told."""
    note = Path(config.notes) / f"{seed}"
    first = not note.exists()
    if config.notes:
        with open(note, "a") as file:
            file.write("x")
    if seed in config.fails:
        raise ArithmeticError("as it\nwas told")
    if seed in config.dies or (seed in config.stumbles and first):
        os._exit(3)
    while seed in config.hangs:
        time.sleep(0.05)


EXPECTED = (Expected("runs", 2, "the default", 0.5), Expected("norm", 1, "not true", kind="at most"))


def answer(result):
    """Return what was found."""
    return f"The largest norm is {result.headline['norm']:.3g}."


def figure(result):
    """Draw the norms."""
    fig = Figure()
    fig.subplots().plot(result.arrays["norms"])
    return fig


# ------------------------------------------------------------------------------------------ for the tests

FIND = experiments.find


def find(name):
    """Find this experiment, too."""
    return sys.modules[__name__] if name == "mortal" else FIND(name)


def enlist(monkeypatch, *others):
    """Let this experiment and these others be all there are."""
    monkeypatch.setattr(experiments, "find", find)
    there = {name: experiments.EXPERIMENTS[name] for name in others}
    monkeypatch.setattr(experiments, "EXPERIMENTS", {"mortal": "mortal", **there})


def counted(folder):
    """Return how often each seed was computed."""
    return {int(note.name): len(note.read_text()) for note in sorted(Path(folder).iterdir(), key=lambda p: int(p.name))}


def main():
    """Run the command line, to which this experiment is known."""
    experiments.find = find
    experiments.EXPERIMENTS["mortal"] = "mortal"
    cli.entry()
