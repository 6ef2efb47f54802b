"""Operations that NumPy lacks as one function, or that are worth fusing; a page per family, as in ``rules/``.

Plain functions of arrays, marked as primitives: called with tensors they go on the tape.  Their
gradients stand on the page of the same name in ``rules/``.
"""

from minigrad.ops.activations import (
    bell, elu, erf, erfc, gelu, hardtanh, leaky_relu, log_sigmoid, relu, selu, sigmoid, silu, softplus,
)
from minigrad.ops.conv import avg_pool, conv, conv_input, conv_weight, max_pool, overlap_add, windows, winners
from minigrad.ops.elementwise import cast, clip, select
from minigrad.ops.linalg import cofactor, cofactor_change, eigh, einsum, is_regular, linear, slogdet, svd
from minigrad.ops.nn import binary_cross_entropy, cross_entropy, cross_entropy_composite, layer_norm, standardize
from minigrad.ops.recurrent import gru, gru_step, lstm, lstm_step, rnn, rnn_cell, rnn_step
from minigrad.ops.reduce import log_softmax, logsumexp, middle, norm, softmax
from minigrad.ops.shape import add_at, along_axis, concatenate, plain_index, scatter, stack, take

__all__ = ["add_at", "along_axis", "avg_pool", "bell", "binary_cross_entropy", "cast", "clip", "cofactor",
           "cofactor_change", "concatenate", "conv", "conv_input", "conv_weight", "cross_entropy",
           "cross_entropy_composite", "eigh", "einsum", "elu", "erf", "erfc", "gelu", "gru", "gru_step", "hardtanh",
           "is_regular", "layer_norm", "leaky_relu", "linear", "log_sigmoid", "log_softmax", "logsumexp", "lstm",
           "lstm_step", "max_pool", "middle", "norm", "overlap_add", "plain_index", "relu", "rnn", "rnn_cell",
           "rnn_step", "scatter", "select", "selu", "sigmoid", "silu", "slogdet", "softmax", "softplus", "stack",
           "standardize", "svd", "take", "windows", "winners"]
