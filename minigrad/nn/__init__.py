"""Networks with PyTorch's names."""

from minigrad.missing import explain
from minigrad.nn import functional, init, utils
from minigrad.nn.activations import (
    ELU, GELU, SELU, PReLU, Hardtanh, LeakyReLU, LogSigmoid, LogSoftmax, ReLU, ReLU6, Sigmoid, SiLU, Softmax, Softplus,
    Softsign, Tanh,
)
from minigrad.nn.cells import GRUCell, LSTMCell, RNNCell
from minigrad.nn.containers import ModuleDict, ModuleList, ParameterList, Residual, Sequential
from minigrad.nn.conv import Conv1d, Conv2d, ConvTranspose1d, ConvTranspose2d
from minigrad.nn.dropout import Dropout, Dropout2d
from minigrad.nn.embedding import Embedding
from minigrad.nn.linear import Linear
from minigrad.nn.losses import (
    BCELoss, BCEWithLogitsLoss, CrossEntropyLoss, HuberLoss, KLDivLoss, L1Loss, MSELoss, NLLLoss, SmoothL1Loss,
)
from minigrad.nn.module import Module, Parameter
from minigrad.nn.normalisation import BatchNorm1d, BatchNorm2d, GroupNorm, LayerNorm
from minigrad.nn.pooling import (
    AdaptiveAvgPool1d, AdaptiveAvgPool2d, AvgPool1d, AvgPool2d, MaxPool1d, MaxPool2d,
)
from minigrad.nn.recurrent import GRU, LSTM, RNN
from minigrad.nn.shape import Flatten, Identity, Unflatten

__all__ = ["ELU", "GELU", "GRU", "LSTM", "RNN", "SELU", "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AvgPool1d",
           "AvgPool2d", "BCELoss", "BCEWithLogitsLoss", "BatchNorm1d", "BatchNorm2d", "Conv1d", "Conv2d",
           "ConvTranspose1d", "ConvTranspose2d", "CrossEntropyLoss", "Dropout", "Dropout2d", "Embedding", "Flatten",
           "GRUCell", "GroupNorm", "Hardtanh", "HuberLoss", "Identity", "KLDivLoss", "L1Loss", "LSTMCell", "LayerNorm",
           "LeakyReLU", "Linear", "LogSigmoid", "LogSoftmax", "MSELoss", "MaxPool1d", "MaxPool2d", "Module",
           "ModuleDict", "ModuleList", "NLLLoss", "PReLU", "Parameter", "ParameterList", "RNNCell", "ReLU", "ReLU6",
           "Residual", "Sequential", "SiLU", "Sigmoid", "SmoothL1Loss", "Softmax", "Softplus", "Softsign", "Tanh",
           "Unflatten", "functional", "init", "utils"]

__getattr__ = explain("minigrad.nn", lambda: __all__)
