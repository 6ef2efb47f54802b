"""F.pad: NumPy's padding in PyTorch's words."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.nn import functional as F

try:
    import torch
except ImportError:
    torch = None

X = np.sin(np.arange(24.0)).reshape(2, 3, 4)
CASES = [((1, 2), {}), ((0, 1, 2, 0), {"value": 1.5}), ((1, 0, 0, 1, 1, 1), {}), ((), {}),
         ((2, 1), {"mode": "reflect"}), ((1, 3), {"mode": "replicate"}), ((2, 2), {"mode": "circular"})]


@pytest.mark.parametrize(("amounts", "options"), CASES)
def test_pad(amounts, options):
    """The amounts go from the last axis forwards; every order of derivative exists."""
    t = mg.tensor(X, requires_grad=True)
    y = F.pad(t, amounts, **options)
    pairs = [amounts[i:i + 2] for i in range(0, len(amounts), 2)]
    expected = [n + sum(p) for n, p in zip(X.shape[::-1], pairs + [(0, 0)] * 3)][::-1]
    assert list(y.shape) == expected
    assert mg.gradcheck(lambda t: F.pad(t, amounts, **options) ** 2, X, order=2)
    if torch is not None:
        np.testing.assert_array_equal(y.data, torch.nn.functional.pad(torch.tensor(X), amounts, **options).numpy())


@pytest.mark.parametrize(("amounts", "options", "match"), [
    ((1,), {}, "before, after"), ((1, -1), {}, "none negative"), ((1, 1) * 4, {}, r"\(2, 3, 4\)"),
    ((1, 1), {"mode": "mirror"}, "'mirror'"),
    ((1, 4), {"mode": "reflect"}, r"pad: 4 elements.*reflect.*axis of 4.*at most 3"),
    ((0, 0, 3, 0), {"mode": "reflect"}, "pad: 3 elements.*axis of 3.*at most 2"),
    ((5, 0), {"mode": "circular"}, "pad: 5 elements.*circular.*axis of 4.*at most 4")])
def test_what_cannot_be_meant_is_refused(amounts, options, match):
    with pytest.raises(ValueError, match=match):
        F.pad(X, amounts, **options)


@pytest.mark.parametrize(("amounts", "mode"), [((3, 3), "reflect"), ((4, 4), "circular"), ((9, 9), "replicate")])
def test_as_far_as_each_mode_goes(amounts, mode):
    y = F.pad(X, amounts, mode)
    assert y.shape == (2, 3, 4 + sum(amounts))
    if torch is not None:
        np.testing.assert_array_equal(y, torch.nn.functional.pad(torch.tensor(X), amounts, mode).numpy())


def test_amounts_are_whole_numbers():
    with pytest.raises(TypeError, match=r"pad: pad = 1\.5 is no whole number"):
        F.pad(X, (1.5, 1))


def test_functions_that_are_left_out_name_the_nearest():
    with pytest.raises(AttributeError, match="softplus"):
        _ = F.mish
    with pytest.raises(AttributeError, match="did you mean 'softmax'"):
        _ = F.sotfmax
