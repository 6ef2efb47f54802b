"""Functions of tensors, with PyTorch's names: what layers and losses are made of."""

from minigrad.missing import explain
from minigrad.nn.functional.activations import (
    elu, gelu, hardtanh, leaky_relu, log_softmax, logsigmoid, relu, relu6, selu, sigmoid, silu, softmax, softplus,
    softsign, tanh,
)
from minigrad.nn.functional.conv import conv1d, conv2d, conv3d, conv_transpose1d, conv_transpose2d
from minigrad.nn.functional.linear import embedding, linear, one_hot
from minigrad.nn.functional.losses import (
    binary_cross_entropy, binary_cross_entropy_with_logits, cross_entropy, huber_loss, kl_div, l1_loss, mse_loss,
    nll_loss, smooth_l1_loss,
)
from minigrad.nn.functional.normalisation import batch_norm, cosine_similarity, dropout, layer_norm, normalize
from minigrad.nn.functional.pooling import (
    adaptive_avg_pool1d, adaptive_avg_pool2d, avg_pool1d, avg_pool2d, max_pool1d, max_pool2d,
)
from minigrad.nn.functional.recurrent import gru_step, lstm_step, rnn_step
from minigrad.nn.functional.shape import pad

__all__ = ["adaptive_avg_pool1d", "adaptive_avg_pool2d", "avg_pool1d", "avg_pool2d", "batch_norm",
           "binary_cross_entropy", "binary_cross_entropy_with_logits", "conv1d", "conv2d", "conv3d", "conv_transpose1d",
           "conv_transpose2d", "cosine_similarity", "cross_entropy", "dropout", "elu", "embedding", "gelu", "gru_step",
           "hardtanh", "huber_loss", "kl_div", "l1_loss", "layer_norm", "leaky_relu", "linear", "log_softmax",
           "logsigmoid", "lstm_step", "max_pool1d", "max_pool2d", "mse_loss", "nll_loss", "normalize", "one_hot", "pad",
           "relu", "relu6", "rnn_step", "selu", "sigmoid", "silu", "smooth_l1_loss", "softmax", "softplus", "softsign",
           "tanh"]

__getattr__ = explain("minigrad.nn.functional", lambda: __all__)
