"""Normalisation and noise as modules: LayerNorm, BatchNorm, Dropout."""

import numpy as np

from minigrad.nn import functional as F
from minigrad.nn.functional.common import given
from minigrad.nn.functional.normalisation import check_eps, check_share, sizes
from minigrad.nn.module import Module, Parameter
from minigrad.nn.showing import changed
from minigrad.seeding import generator


class LayerNorm(Module):
    """Each row less its mean, divided by its standard deviation, times weight, plus bias.

    Args:
        normalized_shape: the lengths of the last axes, which are taken together; a number for the last alone.
        eps: added to the variance; above 0.
        elementwise_affine: whether to have ``weight`` (ones) and ``bias`` (zeros), both of this shape.
        bias: whether to have the bias.
        dtype: a floating dtype.

    Raises:
        ValueError: for a length below 1 or eps not above 0, and in forward for an x that does not fit.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.LayerNorm(2, eps=1e-12)(mg.tensor([[1.0, 3.0], [10.0, 30.0]])).shape
        (2, 2)
    """

    def __init__(self, normalized_shape, eps=1e-5, elementwise_affine=True, bias=True, dtype=float):
        shape = sizes(normalized_shape)
        if not shape or min(shape) < 1:
            raise ValueError(f"LayerNorm({normalized_shape}): every length must be at least 1")
        check_eps("LayerNorm", eps)
        self.normalized_shape, self.eps, self.elementwise_affine = shape, eps, elementwise_affine
        self.weight = Parameter(np.ones(shape, dtype)) if elementwise_affine else None
        self.bias = Parameter(np.zeros(shape, dtype)) if elementwise_affine and bias else None

    def forward(self, x):
        return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self):
        length = self.normalized_shape if len(self.normalized_shape) > 1 else self.normalized_shape[0]
        options = changed(self, eps=1e-5, elementwise_affine=True)
        no_bias = ["bias=False"] if self.elementwise_affine and self.bias is None else []
        return ", ".join([str(length), *filter(None, [options]), *no_bias])


class BatchNorm(Module):
    """What BatchNorm1d and BatchNorm2d share; they differ in the shapes they take."""

    shapes = ()

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True, dtype=float):
        if num_features < 1:
            raise ValueError(f"{type(self).__name__}({num_features}): at least 1 channel is needed")
        check_eps(type(self).__name__, eps)
        if momentum is not None:
            check_share(type(self).__name__, "momentum", momentum)
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self.weight = Parameter(np.ones(num_features, dtype)) if affine else None
        self.bias = Parameter(np.zeros(num_features, dtype)) if affine else None
        if track_running_stats:
            self.register_buffer("running_mean", np.zeros(num_features, dtype))
            self.register_buffer("running_var", np.ones(num_features, dtype))
            self.register_buffer("num_batches_tracked", np.array(0))
        else:
            self.running_mean = self.running_var = self.num_batches_tracked = None

    def forward(self, x):
        name, x = type(self).__name__, given(x)
        if x.ndim not in [text.count(",") + 1 for text in self.shapes] or x.shape[1] != self.num_features:
            expected = " or ".join(self.shapes).replace("C", str(self.num_features))
            raise ValueError(f"{name}({self.num_features}): x must have shape {expected}, not {x.shape}")
        tracking = self.running_mean is not None
        learning = self.training and tracking
        seen = self.num_batches_tracked.item() + 1 if learning else None
        momentum = self.momentum if self.momentum is not None else 1 / seen if learning else 0.0
        y = F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias,
                         self.training or not tracking, momentum, self.eps)
        if learning:
            self.num_batches_tracked.data = seen
        return y

    def reset_running_stats(self):
        """Set the running mean to 0, the running variance to 1 and the count of batches to 0."""
        if self.running_mean is not None:
            self.running_mean.data = np.zeros(self.num_features)
            self.running_var.data = np.ones(self.num_features)
            self.num_batches_tracked.data = 0

    def extra_repr(self):
        options = changed(self, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True)
        return ", ".join([str(self.num_features), *filter(None, [options])])


class BatchNorm1d(BatchNorm):
    """Each channel less its mean over the batch, divided by its standard deviation, times weight, plus bias.

    In training the batch's own mean and variance are used, and running ones are kept in the buffers ``running_mean``,
    ``running_var`` (with n - 1 below the line) and ``num_batches_tracked``; after ``eval()`` the running ones are used.

    Args:
        num_features: C, where x has shape (N, C) or (N, C, L).
        eps: added to the variance; above 0.
        momentum: the share of the newest batch in the running statistics; None for the plain mean over all batches.
        affine: whether to have ``weight`` (ones) and ``bias`` (zeros).
        track_running_stats: if False there are no running statistics, and the batch's are used in eval mode as well.
        dtype: a floating dtype.

    Raises:
        ValueError: for options out of range, and in forward for an x that does not fit or one value per channel in
            training; the running statistics are untouched then.

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> norm = nn.BatchNorm1d(2)
        >>> y = norm(np.array([[0.0, 1.0], [2.0, 1.0]]))
        >>> norm.running_mean
        tensor([0.1, 0.1])
    """

    shapes = ("(N, C)", "(N, C, L)")


class BatchNorm2d(BatchNorm):
    """BatchNorm1d for pictures: x of shape (N, C, H, W), a mean and variance for each channel."""

    shapes = ("(N, C, H, W)",)


class Dropout(Module):
    """In training, each element is set to 0 with probability p, the others divided by 1 - p; in eval mode nothing.

    Args:
        p: between 0 and 1.
        inplace: accepted, without effect.
        rng: a ``numpy.random.Generator``; default the one that ``mg.manual_seed`` seeds.

    Raises:
        ValueError: if p is not between 0 and 1.
    """

    def __init__(self, p=0.5, inplace=False, rng=None):
        check_share("Dropout", "p", p)
        self.p, self.rng = p, rng if rng is None else generator(rng)

    def forward(self, x):
        return F.dropout(x, self.p, self.training, rng=self.rng)

    def extra_repr(self):
        return f"p={self.p}"
