"""Normalisation as modules: LayerNorm, GroupNorm, BatchNorm."""

import numpy as np

from minigrad.nn import functional as F
from minigrad.nn import init
from minigrad.nn.functional.common import check_eps, check_share, given, whole_number
from minigrad.nn.functional.normalisation import sizes
from minigrad.nn.module import Module
from minigrad.nn.parameter import blank
from minigrad.nn.showing import changed


class LayerNorm(Module):
    """Each row less its mean, divided by its standard deviation, times weight, plus bias.

    Args:
        normalized_shape: the lengths of the last axes, which are taken together; a number for the last alone.
        eps: added to the variance; above 0.
        elementwise_affine: whether to have ``weight`` (ones) and ``bias`` (zeros), both of this shape.
        bias: whether to have the bias.
        dtype: a floating dtype.
        device: only "cpu", or None.

    Raises:
        TypeError: for lengths that are no whole numbers.
        ValueError: for a length below 1 or eps not above 0, and in forward for an x that does not fit.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.LayerNorm(2, eps=1e-12)(mg.tensor([[1.0, 3.0], [10.0, 30.0]])).shape
        (2, 2)
    """

    def __init__(self, normalized_shape, eps=1e-5, elementwise_affine=True, bias=True, dtype=float, device=None):
        shape = sizes("LayerNorm", normalized_shape, 1)
        if not shape:
            raise ValueError("LayerNorm: normalized_shape = () holds no length")
        check_eps("LayerNorm", eps)
        self.normalized_shape, self.eps, self.elementwise_affine = shape, eps, elementwise_affine
        self.weight = blank(shape, dtype, device) if elementwise_affine else None
        self.bias = blank(shape, dtype, device) if elementwise_affine and bias else None
        self.reset_parameters()

    def reset_parameters(self, rng=None):
        """Set weight to 1 and bias to 0; nothing is drawn."""
        start_affine(self)

    def forward(self, x):
        """Return x normalised, in its shape (..., *normalized_shape)."""
        return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self):
        length = self.normalized_shape if len(self.normalized_shape) > 1 else self.normalized_shape[0]
        options = changed(self, eps=1e-5, elementwise_affine=True)
        no_bias = ["bias=False"] if self.elementwise_affine and self.bias is None else []
        return ", ".join([str(length), *filter(None, [options]), *no_bias])


class GroupNorm(Module):
    """Each group of channels of an example less its mean, divided by its standard deviation, times weight, plus bias.

    Args:
        num_groups: how many groups; num_channels must be divisible by it.
        num_channels: C, where x has shape (N, C) or (N, C, d1, ...).
        eps: added to the variance; above 0.
        affine: whether to have ``weight`` (ones) and ``bias`` (zeros), of shape (C,).
        dtype: a floating dtype.
        device: only "cpu", or None.

    Raises:
        TypeError: for numbers that are not whole.
        ValueError: for options out of range, and in forward for an x that does not fit.

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> nn.GroupNorm(2, 6)(np.ones((5, 6, 4, 4))).shape
        (5, 6, 4, 4)
    """

    def __init__(self, num_groups, num_channels, eps=1e-5, affine=True, dtype=float, device=None):
        self.num_groups = whole_number("GroupNorm", "num_groups", num_groups)
        self.num_channels = whole_number("GroupNorm", "num_channels", num_channels)
        if num_channels % num_groups:
            raise ValueError(f"GroupNorm: {num_channels} channels cannot be put into {num_groups} groups of one size")
        check_eps("GroupNorm", eps)
        self.eps, self.affine = eps, affine
        self.weight = blank(self.num_channels, dtype, device) if affine else None
        self.bias = blank(self.num_channels, dtype, device) if affine else None
        self.reset_parameters()

    def reset_parameters(self, rng=None):
        """Set weight to 1 and bias to 0; nothing is drawn."""
        start_affine(self)

    def forward(self, x):
        """Return x (N, C, ...) normalised, in its shape."""
        if self.weight is None and np.ndim(x) > 1 and np.shape(x)[1] != self.num_channels:
            raise ValueError(f"{self!r}: x must have shape (N, {self.num_channels}, ...), not {np.shape(x)}")
        return F.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self):
        options = changed(self, eps=1e-5, affine=True)
        return ", ".join([f"{self.num_groups}, {self.num_channels}", *filter(None, [options])])


class BatchNorm(Module):
    """What BatchNorm1d and BatchNorm2d share; they differ in the shapes they take."""

    shapes = ()

    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True, dtype=float,
                 device=None):
        num_features = whole_number(type(self).__name__, "num_features", num_features)
        check_eps(type(self).__name__, eps)
        if momentum is not None:
            check_share(type(self).__name__, "momentum", momentum)
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self.weight = blank(num_features, dtype, device) if affine else None
        self.bias = blank(num_features, dtype, device) if affine else None
        if track_running_stats:
            self.register_buffer("running_mean", np.zeros(num_features, dtype))
            self.register_buffer("running_var", np.ones(num_features, dtype))
            self.register_buffer("num_batches_tracked", np.array(0))
        else:
            self.running_mean = self.running_var = self.num_batches_tracked = None
        self.reset_parameters()

    def forward(self, x):
        """Return x normalised, in its shape; in training, move the running statistics."""
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

    def reset_parameters(self, rng=None):
        """Set weight to 1, bias to 0, and the running statistics as :meth:`reset_running_stats`; nothing is drawn."""
        self.reset_running_stats()
        start_affine(self)

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
        device: only "cpu", or None.

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
    """BatchNorm1d for pictures: x of shape (N, C, H, W), a mean and variance for each channel.

    Example:
        >>> import numpy as np
        >>> from minigrad import nn
        >>> nn.BatchNorm2d(3)(np.ones((5, 3, 4, 4))).shape
        (5, 3, 4, 4)
    """

    shapes = ("(N, C, H, W)",)


def start_affine(module):
    """Set the weight of a normalisation to 1 and its bias to 0, where it has them."""
    if module.weight is not None:
        init.ones_(module.weight)
    if module.bias is not None:
        init.zeros_(module.bias)
