"""What all experiments share: the result, what is expected of it, and the table of all of them.

An experiment is a module with

    QUESTION     what it answers, one line
    SECONDS      about how long the default takes on one core
    Config       its settings (:class:`minigrad.experiments.settings.Settings`)
    FULL         optional: the settings of the full-size run
    run          ``run(config, progress=quiet) -> Result``
    figure       ``figure(result) -> Figure``
    answer       ``answer(result) -> str``: one sentence, with the numbers that were measured
    EXPECTED     a tuple of :class:`Expected`, for the default settings
"""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import minigrad as mg
from minigrad.files import whole


@dataclass(frozen=True)
class Expected:
    """A number that theory, or a paper, lets one expect.

    Args:
        name: of the number in ``result.headline``.
        value: what is expected.
        source: where it comes from: a formula, or author and year.
        tolerance: how far the measured number may lie off: a difference for ``kind="within"``, a share of the value
            for "relative", a factor (above 1) for "factor".  Unused for "at least" and "at most".
        kind: "within", "relative", "factor", "at least" or "at most".

    Example:
        >>> from minigrad.experiments.experiment import Expected
        >>> Expected("slope", -0.2757, "ln chi_1 (Schoenholz et al. 2017)", 0.02).holds(-0.278)
        True
    """

    name: str
    value: float
    source: str
    tolerance: float = 0.0
    kind: str = "within"

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"kind = {self.kind!r}: one of {', '.join(KINDS)}")

    def holds(self, measured):
        """Return whether a measured number is as expected; NaN never is."""
        return bool(KINDS[self.kind](float(measured), self.value, self.tolerance))

    @property
    def margin(self):
        """The tolerance in words."""
        return {"within": f"+- {self.tolerance:g}", "relative": f"{self.tolerance:.2g} of it",
                "factor": f"factor {self.tolerance:g}"}.get(self.kind, self.kind)


KINDS = {
    "within": lambda x, value, tolerance: abs(x - value) <= tolerance,
    "relative": lambda x, value, tolerance: abs(x - value) <= tolerance * abs(value),
    "factor": lambda x, value, tolerance: x * value > 0 and 1 / tolerance <= x / value <= tolerance,
    "at least": lambda x, value, tolerance: x >= value,
    "at most": lambda x, value, tolerance: x <= value,
}


@dataclass
class Result:
    """What came out of an experiment.

    Attributes:
        config: the settings it was run with.
        headline: the numbers to quote, by name.
        arrays: everything that was measured, by name, as plain arrays.
    """

    config: object
    headline: dict
    arrays: dict = field(default_factory=dict)

    def save(self, folder, name):
        """Write ``name.npz`` (the arrays) and ``name.json`` (settings and headline) into a folder; return the paths."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        arrays, words = folder / f"{name}.npz", folder / f"{name}.json"
        with whole(arrays, "wb") as file:
            np.savez_compressed(file, **self.arrays)
        with whole(words) as file:
            file.write(as_json({"experiment": name, "config": self.config.as_dict(), "headline": self.headline}))
        return [arrays, words]


def as_json(record):
    """Return a record as JSON text; numbers that JSON has not, nan and inf, as text."""
    def plain(value):
        if isinstance(value, dict):
            return {str(key): plain(v) for key, v in value.items()}
        if isinstance(value, (list, tuple, np.ndarray)):
            return [plain(v) for v in value]
        if isinstance(value, np.generic):
            value = value.item()
        return str(value) if isinstance(value, float) and not math.isfinite(value) else value
    return json.dumps(plain(record), indent=2) + "\n"


def quiet(things, *_):
    """Go through things without showing progress: what ``progress`` is if nothing is said.

    An experiment goes through its longest loop as ``for seed in progress(range(seeds), "seeds")``.
    """
    return things


def measured(module, config, progress=quiet):
    """Return the result of an experiment, run from a fixed state of minigrad's default generator.

    So it comes out the same wherever and after whatever it is run, even if a layer drew from that generator; the
    generator is given back as it was.
    """
    state = mg.get_rng_state()
    mg.set_rng_state(np.random.default_rng(0).bit_generator.state)
    try:
        return module.run(config, progress)
    finally:
        mg.set_rng_state(state)


def compared(expected, headline):
    """Return a row for each expected number: name, expected, measured, tolerance, source, whether it holds.

    What was expected and is not in the headline is NaN there, and does not hold.
    """
    found = [(e, headline.get(e.name, math.nan)) for e in expected]
    return [(e.name, e.value, value, e.margin, e.source, e.holds(value)) for e, value in found]
