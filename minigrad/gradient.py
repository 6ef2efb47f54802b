"""``grad``: gradients handed back, instead of being added to ``.grad``."""

import numpy as np

from minigrad.tensor import Tensor, result, starting_cotangent, sweep


def grad(y, xs, gradient=None, *, create_graph=False, retain_graph=None, allow_unused=False):
    """Return the gradient of ``y`` with respect to ``xs``, leaving every ``.grad`` alone.

    Only the part of the graph that leads from ``y`` to ``xs`` is gone through.

    Args:
        y: a tensor of one element, or of any shape together with ``gradient``.
        xs: a tensor, or a list or tuple of tensors; leaves or results alike.
        gradient: the cotangent of ``y``.
        create_graph: make the gradients differentiable themselves.
        retain_graph: keep the graph for another pass; default ``create_graph``.
        allow_unused: return None for a tensor that ``y`` does not depend on, instead of raising.

    Returns:
        a tensor for a tensor, else a tuple.

    Raises:
        RuntimeError: if ``y`` does not depend on one of ``xs``; see also :meth:`Tensor.backward`.

    Example:
        >>> import minigrad as mg
        >>> x = mg.tensor(3.0, requires_grad=True)
        >>> slope = mg.grad(x ** 3, x, create_graph=True)
        >>> slope.item(), mg.grad(slope, x).item()
        (27.0, 18.0)
    """
    single = isinstance(xs, Tensor)
    wanted = [xs] if single else list(xs)
    for index, x in enumerate(wanted):
        if not isinstance(x, Tensor) or not x.requires_grad:
            raise RuntimeError(f"grad: xs[{index}] is no tensor that requires a gradient")
    seed = starting_cotangent(y, gradient, create_graph)
    found = {node._number: (g, owned) for node, g, owned in
             sweep([y], [seed], create_graph, retain_graph, wanted, all_of_them=not allow_unused)}
    out = []
    for x in wanted:
        g, owned = found.get(x._number, (None, False))
        out.append(g if g is None or isinstance(g, Tensor) else result(np.asarray(g) if owned else np.array(g)))
    return out[0] if single else tuple(out)
