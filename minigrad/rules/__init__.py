"""The table of gradient rules, a page per family; importing a page writes its lines.

A rule is ``lambda g, y, *args, **kwargs``: g the cotangent of the result y; it returns the cotangent of one argument.
It may use operators, ufuncs, ``sum reshape transpose swapaxes T``, shapes and the primitives of ``ops``.  Broadcasting
and dtypes are the engine's business.
"""

from minigrad.rules import (  # noqa: F401
    activations, conv, decompositions, elementwise, indexing, linalg, nn, recurrent, reduce, shape,
)
