"""The schedules, under PyTorch's name: ``from minigrad.optim.lr_scheduler import StepLR``."""

from minigrad.optim.plateau import ReduceLROnPlateau
from minigrad.optim.schedules import (
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    MultiStepLR,
    SequentialLR,
    StepLR,
)

__all__ = ["ChainedScheduler", "ConstantLR", "CosineAnnealingLR", "ExponentialLR", "LRScheduler", "LambdaLR",
           "LinearLR", "MultiStepLR", "ReduceLROnPlateau", "SequentialLR", "StepLR"]
