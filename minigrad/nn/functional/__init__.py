"""Functions of tensors, with PyTorch's names: what layers and losses are made of.

The first argument is called ``input`` as in PyTorch; formulas and shapes call it x.
"""

from minigrad.missing import explain
from minigrad.nn.functional.activations import (
    elu, gelu, hardtanh, leaky_relu, log_softmax, logsigmoid, prelu, relu, relu6, selu, sigmoid, silu, softmax,
    softplus, softsign, tanh,
)
from minigrad.nn.functional.conv import conv1d, conv2d, conv3d, conv_transpose1d, conv_transpose2d
from minigrad.nn.functional.dropout import dropout, dropout2d
from minigrad.nn.functional.embedding import embedding, one_hot
from minigrad.nn.functional.linear import linear
from minigrad.nn.functional.losses import (
    binary_cross_entropy, binary_cross_entropy_with_logits, cross_entropy, huber_loss, kl_div, l1_loss, mse_loss,
    nll_loss, smooth_l1_loss,
)
from minigrad.nn.functional.normalisation import batch_norm, group_norm, layer_norm
from minigrad.nn.functional.padding import pad
from minigrad.nn.functional.pooling import (
    adaptive_avg_pool1d, adaptive_avg_pool2d, avg_pool1d, avg_pool2d, max_pool1d, max_pool2d,
)
from minigrad.nn.functional.recurrent import gru_step, lstm_step, rnn_step
from minigrad.nn.functional.vectors import cosine_similarity, normalize

__all__ = ["adaptive_avg_pool1d", "adaptive_avg_pool2d", "avg_pool1d", "avg_pool2d", "batch_norm",
           "binary_cross_entropy", "binary_cross_entropy_with_logits", "conv1d", "conv2d", "conv3d",
           "conv_transpose1d", "conv_transpose2d", "cosine_similarity", "cross_entropy", "dropout", "dropout2d", "elu",
           "embedding", "gelu", "group_norm", "gru_step", "hardtanh", "huber_loss", "kl_div", "l1_loss", "layer_norm",
           "leaky_relu", "linear", "log_softmax", "logsigmoid", "lstm_step", "max_pool1d", "max_pool2d", "mse_loss",
           "nll_loss", "normalize", "one_hot", "pad", "prelu", "relu", "relu6", "rnn_step", "selu", "sigmoid", "silu",
           "smooth_l1_loss", "softmax", "softplus", "softsign", "tanh"]

__getattr__ = explain("minigrad.nn.functional", lambda: __all__)
