"""Tensors to begin with, and the errors to expect of them."""

import numpy as np
import pytest

import minigrad as mg


def leaf(values=(1.0, 2.0, 4.0), dtype=None):
    return mg.tensor(np.array(values), dtype, requires_grad=True)


def raises_naming(error, *ways_out):
    """Expect an error whose text names each of the ways out."""
    return pytest.raises(error, match="".join(rf"(?=[\s\S]*{way})" for way in ways_out))
