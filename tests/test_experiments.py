"""All experiments are of one shape; the small things they are made of."""

import math
from dataclasses import dataclass

import numpy as np
import pytest

from minigrad import experiments, plot
from minigrad.experiments.experiment import Expected, Result, as_json, compared, quiet
from minigrad.experiments.settings import Settings, setting

NAMES = list(experiments.EXPERIMENTS)


@pytest.mark.parametrize("name", NAMES)
def test_an_experiment_says_what_it_is(name):
    module = experiments.find(name)
    assert module.QUESTION.endswith("?")
    assert 0 < module.SECONDS < 60
    assert module.__doc__
    assert issubclass(module.Config, Settings)
    assert all(isinstance(e, Expected) and e.source for e in module.EXPECTED)
    assert len(module.EXPECTED) > 0
    assert len({e.name for e in module.EXPECTED}) == len(module.EXPECTED)
    assert isinstance(getattr(module, "FULL", module.Config()), module.Config)


def test_an_unknown_experiment_is_refused_with_its_neighbours():
    with pytest.raises(KeyError, match=r"no experiment 'clif'; did you mean cliff.*There are: "):
        experiments.find("clif")


@pytest.fixture(scope="module")
def cliff():
    module = experiments.find("cliff")
    return module, module.run(module.Config())


def test_the_cliff_is_where_it_is_predicted(cliff):
    module, result = cliff
    assert [row for row in compared(module.EXPECTED, result.headline) if not row[-1]] == []


def test_the_same_settings_give_the_same_bytes(cliff, tmp_path):
    module, result = cliff
    again = module.run(module.Config())
    assert again.headline == result.headline
    for name, array in result.arrays.items():
        np.testing.assert_array_equal(again.arrays[name], array)
    for index, r in enumerate((result, again)):
        plot.save(module.figure(r), tmp_path / f"{index}.png")
    assert (tmp_path / "0.png").read_bytes() == (tmp_path / "1.png").read_bytes()


def test_a_result_is_saved_as_arrays_and_words(cliff, tmp_path):
    _, result = cliff
    paths = result.save(tmp_path / "new", "cliff")
    assert [path.name for path in paths] == ["cliff.npz", "cliff.json"]
    with np.load(paths[0]) as arrays:
        assert set(arrays) == set(result.arrays)
        np.testing.assert_array_equal(arrays["loss"], result.arrays["loss"])
    assert '"steps": 50' in paths[1].read_text()


# ------------------------------------------------------------------------------------------------------- settings

@dataclass(frozen=True)
class Config(Settings):
    lr: float = setting(0.1, above=0, doc="learning rate")
    seeds: int = setting(3, least=1, most=9, doc="seeds")
    clip: float = setting(1.0, above=0, may_be_inf=True, doc="threshold")
    limit: float | None = setting(None, least=0, doc="an optional one")
    kind: str = setting("sgd", choices=("sgd", "adam"), doc="optimizer")
    exact: bool = setting(False, doc="a switch")
    sizes: tuple = setting((4, 8), least=1, doc="several")


@pytest.mark.parametrize(("texts", "wanted"), [
    ({}, {}),
    ({"lr": "1e-3", "seeds": "2"}, {"lr": 1e-3, "seeds": 2}),
    ({"clip": "none"}, {"clip": math.inf}), ({"clip": "inf"}, {"clip": math.inf}),
    ({"limit": "0.5"}, {"limit": 0.5}), ({"limit": "none"}, {"limit": None}),
    ({"kind": "adam", "exact": "true", "sizes": "1,2,3"}, {"kind": "adam", "exact": True, "sizes": (1, 2, 3)}),
])
def test_settings_are_read_from_text(texts, wanted):
    assert Config.parse(texts) == Config(**wanted)


@pytest.mark.parametrize(("texts", "error", "message"), [
    ({"rl": "1"}, KeyError, "no setting 'rl'; .*There are: lr, seeds, clip"),
    ({"lrr": "1"}, KeyError, "did you mean lr?"),
    ({"lr": "0"}, ValueError, "lr = 0.0 is out of range: it is a number > 0"),
    ({"lr": "inf"}, ValueError, "out of range"), ({"lr": "nan"}, ValueError, "out of range"),
    ({"lr": "fast"}, ValueError, "lr = 'fast': it is a number > 0"),
    ({"seeds": "2.5"}, ValueError, "seeds = '2.5': it is a whole number >= 1 and <= 9"),
    ({"seeds": "10"}, ValueError, "seeds = 10 is out of range"),
    ({"clip": "-1"}, ValueError, "a number > 0, or inf"),
    ({"kind": "rmsprop"}, ValueError, "one of sgd, adam"),
    ({"exact": "perhaps"}, ValueError, "true or false"),
    ({"sizes": "1,0"}, ValueError, "sizes = 0 is out of range"),
])
def test_settings_that_cannot_be_are_refused(texts, error, message):
    with pytest.raises(error, match=message):
        Config.parse(texts)


# ------------------------------------------------------------------------------------------------------- expected

@pytest.mark.parametrize(("kind", "tolerance", "good", "bad"), [
    ("within", 0.5, [1.5, 2.0, 2.5], [1.4, 2.6, math.nan]),
    ("relative", 0.1, [1.85, 2.15], [1.7, 2.3, -2.0]),
    ("factor", 2.0, [1.0, 4.0], [0.9, 4.1, -2.0, math.inf, 0.0]),
    ("at least", 0.0, [2.0, math.inf], [1.9, math.nan]),
    ("at most", 0.0, [2.0, -math.inf], [2.1, math.nan]),
])
def test_what_is_expected_holds_or_does_not(kind, tolerance, good, bad):
    expected = Expected("x", 2.0, "nowhere", tolerance, kind)
    assert all(expected.holds(x) for x in good)
    assert not any(expected.holds(x) for x in bad)


def test_a_kind_that_is_not_known_is_refused():
    with pytest.raises(ValueError, match="within, relative, factor"):
        Expected("x", 1.0, "nowhere", kind="about")


def test_json_has_no_numbers_that_json_has_not():
    text = as_json({"a": math.nan, "b": [math.inf, np.float64(1.5), np.int64(2)], "c": np.array([1.0, -math.inf])})
    assert '"nan"' in text
    assert '"-inf"' in text
    assert "NaN" not in text


def test_quiet_progress_leaves_things_alone():
    assert list(quiet(range(3), "seeds")) == [0, 1, 2]
    assert Result(None, {}).arrays == {}
