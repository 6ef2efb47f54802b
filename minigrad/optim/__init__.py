"""Optimizers with PyTorch's names; each runs its hooks and reports what happened."""

from minigrad.optim.adam import Adam
from minigrad.optim.optimizer import Optimizer
from minigrad.optim.sgd import SGD

__all__ = ["SGD", "Adam", "Optimizer"]
