"""What a recurrent matrix does in one step and in many: its singular values and its eigenvalues."""

import math

import numpy as np

from minigrad.norms import norm
from minigrad.plot.lanes import Lanes
from minigrad.plot.lines import legend_above
from minigrad.plot.style import BLACK, BLUE, VERMILLION, styled

ROUNDING = 10
"""A departure from normality of up to so many times sqrt(eps) of the matrix's dtype is rounding."""


def spectrum(weight, axes=None, *, title=None):
    """Draw the eigenvalues of a square matrix in the complex plane, and beside them its singular values.

    In the long run a linear recurrence grows by the spectral radius rho = max |lambda_i| a step; in a single step it
    can grow by the norm ||W|| = sigma_max >= rho.  For a normal matrix (W W^T = W^T W, such as a symmetric or an
    orthogonal one) singular values and |eigenvalues| are the same, and the two lines at the right lie on each other;
    the gap between them shows how far a matrix is from normal.  The number for it is Henrici's (1962) departure from
    normality, sqrt(||W||_F^2 - sum |lambda_i|^2) / ||W||_F: 0 for a normal matrix, 1 for a nilpotent one.  Where it is
    large the gradient can explode on the way although rho < 1.

    Args:
        weight: a square matrix, array or Tensor, such as ``rnn.weight_hh``.
        axes: two axes to draw on; default a new figure.
        title: of the left axes, instead of the one that gives the spectral radius.

    Returns:
        the two axes.

    Raises:
        ValueError: if ``weight`` is not square, empty, or holds what is not finite, or ``axes`` are not two.

    Example:
        >>> import numpy as np
        >>> from minigrad import plot
        >>> left, right = plot.spectrum(0.9 * np.eye(20) + np.eye(20, k=1))
        >>> left.get_title()
        'Eigenvalues: spectral radius 0.9'
        >>> right.get_title()
        'Singular values: norm 1.894'
    """
    matrix = square(weight)
    left, right = two_axes(axes)
    values, lengths, departure = measured(matrix.astype(float))
    rounding = ROUNDING * math.sqrt(np.finfo(matrix.dtype).eps)
    moduli = np.sort(np.abs(values))[::-1]
    with styled():
        plane(left, values)
        left.set_title(title or f"Eigenvalues: spectral radius {moduli[0]:.4g}")
        lanes, rank = Lanes(lengths, moduli, [1.0]), np.arange(1, len(lengths) + 1)
        lanes.dress(right)
        size = float(np.clip(60 / len(rank), 2.5, 6))
        for found, colour, mark, label in ((lengths, BLUE, "o", "singular values"),
                                           (moduli, VERMILLION, "s", "|eigenvalues|")):
            hollow = {"markerfacecolor": "none"} if mark == "s" else {}
            right.plot(rank, lanes.ordinary(found), f"-{mark}", color=colour, ms=size, lw=1.2, label=label, **hollow)
            lost = lanes.special(found)
            right.plot(rank[lost], lanes.place(found[lost]), mark, color=colour, ms=size, **hollow)
        right.axhline(1.0, ls=":", color=BLACK, lw=1.2)
        right.set(xlabel="rank", title=f"Singular values: norm {lengths[0]:.4g}",
                  xlim=(0.5, max(len(rank), 2) + 0.5))
        right.xaxis.get_major_locator().set_params(integer=True)
        verdict = "normal matrix" if departure < rounding else "non-normal"
        legend_above(right, title=f"{verdict}: departure from normality {departure:.2g}")
        right.get_legend().get_title().set_fontsize(11)
    return left, right


def plane(ax, values):
    """Draw eigenvalues and the unit circle, to one scale."""
    angle = np.linspace(0, 2 * np.pi, 361)
    radius = float(np.abs(values).max())
    ax.plot(np.cos(angle), np.sin(angle), "--", color=BLACK, lw=1.2, label="unit circle")
    if radius > 0:
        ax.plot(radius * np.cos(angle), radius * np.sin(angle), "-", color=VERMILLION, lw=1.2, alpha=0.7,
                label="spectral radius")
    ax.plot(values.real, values.imag, "s", color=VERMILLION, ms=float(np.clip(120 / len(values), 3, 7)),
            markerfacecolor="none", label="1 eigenvalue" if len(values) == 1 else f"{len(values)} eigenvalues",
            clip_on=False, zorder=3)
    reach = 1.12 * max(radius, 1.0)
    ax.set(xlim=(-reach, reach), ylim=(-reach, 1.45 * reach), xlabel="real part", ylabel="imaginary part")
    ax.set_aspect("equal", adjustable="box")
    ax.legend(loc="upper center", ncols=2, frameon=True, framealpha=0.85, edgecolor="none", columnspacing=1.0)


def measured(matrix):
    """Return eigenvalues, singular values (descending), and Henrici's departure from normality."""
    scale = float(np.abs(matrix).max())
    if scale == 0:
        return np.zeros(len(matrix), complex), np.zeros(len(matrix)), 0.0
    scale = 2.0 ** math.floor(math.log2(scale))             # exact, and no square over- or underflows
    matrix = matrix / scale
    values, lengths = np.linalg.eigvals(matrix).astype(complex), np.linalg.svd(matrix, compute_uv=False)
    total = norm(matrix) ** 2
    departure = math.sqrt(max(0.0, total - float((np.abs(values) ** 2).sum())) / total)
    return values * scale, lengths * scale, departure


def square(weight):
    """Return a matrix as an array of floats, checked."""
    array = np.asarray(weight.data if hasattr(weight, "requires_grad") else weight)
    if array.ndim != 2 or array.shape[0] != array.shape[1] or not array.size:
        gates = array.ndim == 2 and array.shape[1] and array.shape[0] % array.shape[1] == 0 and array.size
        cure = (f"; it holds {array.shape[0] // array.shape[1]} gates: take one, weight[:{array.shape[1]}], say"
                if gates else "")
        raise ValueError(f"spectrum needs a square matrix, not shape {array.shape}{cure}")
    array = array if array.dtype.kind == "f" else array.astype(float)
    if not np.isfinite(array).all():
        raise ValueError(f"{(~np.isfinite(array)).sum()} of the {array.size} entries of the matrix are not finite: it "
                         f"has no spectrum; look at it before the update in which it was lost")
    return array


def two_axes(axes):
    """Return the two axes given, or those of a new pyplot figure."""
    if axes is None:
        import matplotlib.pyplot as plt

        with styled():
            return plt.subplots(1, 2, figsize=(11, 5), layout="constrained", width_ratios=(1, 1.15))[1]
    axes = list(np.ravel(axes))
    if len(axes) != 2:
        raise ValueError(f"spectrum draws on two axes, not on {len(axes)}")
    return axes
