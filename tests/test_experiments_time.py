"""What the experiments on recurrences find is what is expected of them."""

import numpy as np
import pytest

from minigrad import experiments
from minigrad.experiments.experiment import compared
from minigrad.norms import norm


def misses(name, **settings):
    module = experiments.find(name)
    result = module.run(module.Config(**settings))
    assert any(character.isdigit() for character in module.answer(result))
    return [row for row in compared(module.EXPECTED, result.headline) if not row[-1]]


@pytest.mark.parametrize("name", ["latch", "linear-rnn", "non-normal", "rnn-lyapunov"])
def test_what_is_expected_is_measured(name):
    assert misses(name) == []


@pytest.mark.slow
def test_clipped_runs_arrive_and_plain_ones_are_thrown():
    assert misses("cliff-descent") == []


def test_the_first_steps_at_the_cliff_are_those_of_a_plain_loop():
    """Ten clipped updates from (5.5, -2.85), the gradient by central differences."""
    module = experiments.find("cliff-descent")
    result = module.run(module.Config(updates=10, w=(5.5,), b=(-2.85,), steps=10))
    place = np.array([5.5, -2.85])

    def error(w, b):
        x = 0.5
        for _ in range(10):
            x = w / (1 + np.exp(-x)) + b
        return (1 / (1 + np.exp(-x)) - 0.7) ** 2

    for expected in result.arrays["path, clipped from (5.5, -2.85)"]:
        np.testing.assert_allclose(place, expected, atol=1e-8)
        step = 1e-6
        g = np.array([(error(*(place + d)) - error(*(place - d))) / (2 * step) for d in step * np.eye(2)])
        place = place - 0.02 * min(1.0, 1.0 / norm(g)) * g


def test_settings_that_do_not_fit_each_other_are_refused():
    with pytest.raises(ValueError, match="one for each of the 2"):
        experiments.find("cliff-descent").Config(w=(5.0, 6.0), b=(-2.0,))
    with pytest.raises(ValueError, match="one for each of the 1"):
        experiments.find("rnn-lyapunov").Config(gains=(1.0,), inputs=(0.1, 0.2))
