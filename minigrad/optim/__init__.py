"""Optimizers with PyTorch's names; each runs its hooks and reports what happened.

Schedules of the learning rate are in ``optim.lr_scheduler``.
"""

from minigrad.missing import explain
from minigrad.optim import lr_scheduler
from minigrad.optim.adagrad import Adagrad
from minigrad.optim.adam import Adam, AdamW
from minigrad.optim.optimizer import Optimizer
from minigrad.optim.rmsprop import RMSprop
from minigrad.optim.sgd import SGD

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop", "lr_scheduler"]

__getattr__ = explain("minigrad.optim", lambda: __all__)
