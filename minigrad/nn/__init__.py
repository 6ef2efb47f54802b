"""Networks with PyTorch's names."""

from minigrad.nn import functional, init
from minigrad.nn.layers import Linear, ReLU, RNNCell, Sequential, Sigmoid, Tanh
from minigrad.nn.losses import CrossEntropyLoss, MSELoss
from minigrad.nn.module import Module, Parameter

__all__ = ["CrossEntropyLoss", "Linear", "MSELoss", "Module", "Parameter", "RNNCell", "ReLU", "Sequential", "Sigmoid",
           "Tanh", "functional", "init"]
