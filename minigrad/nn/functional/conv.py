"""Convolutions with PyTorch's names, defaults and shapes, and the checks that pooling shares with them.

Each function comes for one, two and three spatial axes; all of them share one implementation, and take one example
(C, *spatial) in place of a batch (N, C, *spatial) too.
"""

from minigrad import ops
from minigrad.nn.functional.common import floats, whole_number
from minigrad.ops.conv import output_shape

SPATIAL = {1: "L", 2: "H, W", 3: "D, H, W"}

# ------------------------------------------------------------------------------- what is refused


def numbers(name, what, value, axes, least):
    """Return an integer, or a tuple with one per spatial axis, as a tuple with one per spatial axis.

    Raises:
        TypeError, ValueError: if it is neither, or one is below ``least``.
    """
    given = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if len(given) not in (1, axes):
        expected = "an integer" + (f", or a tuple of {axes}, one per spatial axis" if axes > 1 else "")
        raise ValueError(f"{name}: {what} = {value!r} must be {expected}")
    places = [f"{what}[{k}]" for k in range(axes)] if isinstance(value, (tuple, list)) else [what]
    given = tuple(whole_number(name, place, n, least) for place, n in zip(places, given))
    return given if len(given) == axes else given * axes


def refuse_groups(name, groups):
    """Raise ValueError for a convolution in groups."""
    if groups != 1:
        raise ValueError(f"{name}: groups = {groups!r} is not supported, only 1; convolve each group of channels by "
                         f"itself and join the results with np.concatenate(parts, axis=1)")


def as_batch(name, x, axes):
    """Return x as (N, C, *spatial), and whether it was a single example (C, *spatial).

    Raises:
        TypeError, ValueError: if it is no floating-point array or tensor, or has another number of axes.
    """
    x = floats(name, x)
    if x.ndim not in (axes + 1, axes + 2):
        raise ValueError(f"{name}: input of shape {x.shape} has {x.ndim} axes; it must be (N, C, {SPATIAL[axes]}), or "
                         f"one example (C, {SPATIAL[axes]})")
    return (x, False) if x.ndim == axes + 2 else (x.reshape((1, *x.shape)), True)


def refuse_misfit(name, x, weight, bias, form):
    """Raise ValueError if weight or bias do not fit x; ``form`` names the first two axes of weight."""
    channels = form.index("C")
    wanted = f"({', '.join(form)}, *kernel)"
    if weight.ndim != x.ndim or min(weight.shape[2:]) < 1:
        raise ValueError(f"{name}: weight of shape {weight.shape} does not fit input of shape {x.shape}; it must be "
                         f"{wanted}, with {x.ndim - 2} sizes of the kernel, each at least 1")
    if x.shape[1] != weight.shape[channels]:
        raise ValueError(f"{name}: input of shape {x.shape} does not fit weight of shape {weight.shape} {wanted}: "
                         f"input has {x.shape[1]} channels, weight takes {weight.shape[channels]}")
    outs = weight.shape[1 - channels]
    if bias is not None and bias.shape != (outs,):
        raise ValueError(f"{name}: bias of shape {bias.shape} does not fit weight of shape {weight.shape} {wanted}; it "
                         f"must be {(outs,)}")


def refuse_too_large(name, x, kernel, stride, padding, dilation):
    """Raise ValueError if not one window fits; else return how many fit along each axis."""
    out = output_shape(x.shape[2:], kernel, stride, padding, dilation)
    if min(out) < 1:
        dilated = f" and dilation {dilation}" if max(dilation) > 1 else ""
        padded = tuple(n + sum(p) for n, p in zip(x.shape[2:], padding))
        raise ValueError(f"{name}: a kernel of shape {kernel}{dilated} does not fit into input of shape {x.shape}, "
                         f"which with its padding is {padded}")
    return out


# ---------------------------------------------------------------------------------- convolution

def convolution_settings(name, axes, stride, padding, dilation):
    """Return stride, padding and dilation of a convolution, checked; padding may stay "same" or "valid"."""
    stride = numbers(name, "stride", stride, axes, 1)
    dilation = numbers(name, "dilation", dilation, axes, 1)
    if not isinstance(padding, str):
        return stride, numbers(name, "padding", padding, axes, 0), dilation
    if padding not in ("same", "valid"):
        raise ValueError(f"{name}: padding = {padding!r} must be a number, 'same' or 'valid'")
    if padding == "same" and max(stride) > 1:
        raise ValueError(f"{name}: padding = 'same' with stride {stride}: only with stride 1 has the result the size "
                         f"of x; give the padding in numbers")
    return stride, padding, dilation


def convolve(name, axes, x, weight, bias, stride, padding, dilation, groups):
    """Check the arguments of a convolution over so many spatial axes, and compute it."""
    refuse_groups(name, groups)
    stride, padding, dilation = convolution_settings(name, axes, stride, padding, dilation)
    batch, alone = as_batch(name, x, axes)
    weight, bias = floats(name, weight, "weight"), bias if bias is None else floats(name, bias, "bias")
    refuse_misfit(name, batch, weight, bias, ("out", "C"))
    kernel = weight.shape[2:]
    if padding == "same":                           # where it cannot be even, the larger half comes after, as PyTorch's
        padding = tuple((d * (k - 1) // 2, (d * (k - 1) + 1) // 2) for k, d in zip(kernel, dilation))
    else:
        padding = tuple((p, p) for p in (padding if padding != "valid" else (0,) * axes))
    refuse_too_large(name, batch, kernel, stride, padding, dilation)
    y = ops.conv(batch, weight, *(() if bias is None else (bias,)), stride=stride, padding=padding, dilation=dilation)
    return y.reshape(y.shape[1:]) if alone else y


def conv1d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Return the convolution of x (N, C, L) or (C, L) with weight (out, C, kernel); see :func:`conv2d`.

    Example:
        >>> import numpy as np
        >>> from minigrad.nn import functional as F
        >>> F.conv1d(np.array([[1.0, 2.0, 4.0, 8.0]]), np.array([[[-1.0, 1.0]]]))
        array([[1., 2., 4.]])
    """
    return convolve("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)


def conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Return the convolution of images with a kernel, which is not turned round (a cross-correlation, as in PyTorch).

    y[n, o, i, j] = bias[o] + sum over c, k, l of weight[o, c, k, l] x[n, c, i s - p + k d, j s - p + l d]

    Args:
        input: (N, C, H, W), or one image (C, H, W).
        weight: (out, C, kernel height, kernel width).
        bias: (out,).
        stride: s, how far apart windows stand; a number, or one per axis.
        padding: p, how many zeros x gets at either end; a number, one per axis, "valid" (none), or
            "same" (y of the size of x; with stride 1 only).
        dilation: d, how far apart the elements of x stand that a kernel sees.
        groups: only 1.

    Returns:
        (N, out, H', W') with H' = floor((H + 2 p - d (kernel height - 1) - 1) / s) + 1, or (out, H', W').

    Raises:
        TypeError: for integers among the arrays, or settings that are no integers.
        ValueError: if shapes do not fit, or a setting is out of range.

    Example:
        >>> import numpy as np
        >>> from minigrad.nn import functional as F
        >>> edge = np.array([[[[-1.0, 1.0]]]])
        >>> F.conv2d(np.array([[[0.0, 0.0, 1.0, 1.0]]]), edge)
        array([[[0., 1., 0.]]])
    """
    return convolve("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)


def conv3d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Return the convolution of x (N, C, D, H, W) with weight (out, C, *kernel); see :func:`conv2d`.

    Example:
        >>> import numpy as np
        >>> from minigrad.nn import functional as F
        >>> F.conv3d(np.ones((2, 3, 5, 6, 7)), np.ones((4, 3, 2, 2, 2))).shape
        (2, 4, 4, 5, 6)
    """
    return convolve("conv3d", 3, input, weight, bias, stride, padding, dilation, groups)


def refuse_large_output_padding(name, extra, stride, given):
    """Raise ValueError for rows at the end that hold another window of the convolution."""
    if any(e >= s for e, s in zip(extra, stride)):
        raise ValueError(f"{name}: output_padding = {given!r} must be less than the stride {stride}; a larger one "
                         f"would give the convolution another window")


def convolve_transposed(name, axes, x, weight, bias, stride, padding, output_padding, groups, dilation):
    """Check the arguments of a transposed convolution over so many spatial axes, and compute it."""
    refuse_groups(name, groups)
    stride, padding = numbers(name, "stride", stride, axes, 1), numbers(name, "padding", padding, axes, 0)
    extra = numbers(name, "output_padding", output_padding, axes, 0)
    dilation = numbers(name, "dilation", dilation, axes, 1)
    refuse_large_output_padding(name, extra, stride, output_padding)
    batch, alone = as_batch(name, x, axes)
    weight, bias = floats(name, weight, "weight"), bias if bias is None else floats(name, bias, "bias")
    refuse_misfit(name, batch, weight, bias, ("C", "out"))
    shape = tuple((n - 1) * s - 2 * p + d * (k - 1) + e + 1 for n, s, p, d, k, e in zip(
        batch.shape[2:], stride, padding, dilation, weight.shape[2:], extra))
    if min(shape) < 1 or min(batch.shape[2:]) < 1:
        raise ValueError(f"{name}: input of shape {batch.shape} and weight of shape {weight.shape} leave a result of "
                         f"sizes {shape}")
    y = ops.conv_input(batch, weight, shape=shape, stride=stride, padding=tuple((p, p) for p in padding),
                       dilation=dilation)
    if bias is not None:
        y = y + bias.reshape((-1, *(1,) * axes))
    return y.reshape(y.shape[1:]) if alone else y


def conv_transpose1d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """Return the transposed convolution of x (N, C, L) with weight (C, out, kernel); see :func:`conv_transpose2d`.

    Example:
        >>> import numpy as np
        >>> from minigrad.nn import functional as F
        >>> F.conv_transpose1d(np.array([[1.0, 10.0]]), np.array([[[1.0, 2.0, 3.0]]]))
        array([[ 1., 12., 23., 30.]])
    """
    return convolve_transposed("conv_transpose1d", 1, input, weight, bias, stride, padding, output_padding, groups,
                               dilation)


def conv_transpose2d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """Return what :func:`conv2d` with this weight would send back to its input for a cotangent x.

    Each element of x lays down a copy of the kernel; where copies overlap they add up.

    Args:
        input: (N, C, H, W), or one image (C, H, W).
        weight: (C, out, kernel height, kernel width): the weight of the convolution from ``out`` channels to C.
        bias: (out,).
        stride, padding, dilation: of that convolution.
        output_padding: rows and columns added at the end, less than the stride: a convolution with a stride gives
            several sizes of input the same size of output, and this says which one is meant.
        groups: only 1.

    Returns:
        (N, out, H', W') with H' = (H - 1) stride - 2 padding + dilation (kernel height - 1) + output_padding + 1.

    Raises:
        TypeError, ValueError: as :func:`conv2d`.

    Example:
        >>> import numpy as np
        >>> from minigrad.nn import functional as F
        >>> F.conv_transpose2d(np.ones((2, 3, 8, 8)), np.ones((3, 5, 4, 4)), stride=2, padding=1).shape
        (2, 5, 16, 16)
    """
    return convolve_transposed("conv_transpose2d", 2, input, weight, bias, stride, padding, output_padding, groups,
                               dilation)
