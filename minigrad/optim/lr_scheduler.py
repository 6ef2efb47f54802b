"""The schedules, under PyTorch's name: ``from minigrad.optim.lr_scheduler import StepLR``."""

from minigrad.missing import explain
from minigrad.optim.combined import ChainedScheduler, SequentialLR
from minigrad.optim.plateau import ReduceLROnPlateau
from minigrad.optim.schedules import (
    ConstantLR,
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    MultiStepLR,
    StepLR,
)

__all__ = ["ChainedScheduler", "ConstantLR", "CosineAnnealingLR", "ExponentialLR", "LRScheduler", "LambdaLR",
           "LinearLR", "MultiStepLR", "ReduceLROnPlateau", "SequentialLR", "StepLR"]

__getattr__ = explain("minigrad.optim.lr_scheduler", lambda: __all__)
