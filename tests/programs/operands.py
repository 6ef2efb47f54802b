"""What operations are applied to: shapes, roles of arguments with ways into them, and parameters written as text."""

import math
import string
from dataclasses import dataclass
from typing import Any

import numpy as np

SIZE = 64
"""No value has more elements than this."""

SHAPES = ((), (3,), (1,), (2, 3), (3, 1), (1, 3), (4, 2), (2, 2), (3, 3), (1, 1), (2, 3, 2), (2, 1, 3), (1, 2, 3, 2))

LARGE, NEAR, CLOSE = 6.0, 0.1, 0.04
"""Arguments are kept below LARGE, and away from a kink by NEAR, from each other by CLOSE where ties matter."""


def ramp(shape, step=1.0, turn=0, dtype="float64"):
    """Return distinct numbers around 0, ``step`` apart, in an order that ``turn`` scatters."""
    n = math.prod(shape)
    order = np.argsort(np.argsort(np.sin(1 + 2.7 * np.arange(n) + turn)))
    return (step * (order - n // 2 + 0.75)).reshape(shape).astype(dtype)


# --------------------------------------------------------------------------------------- operations

@dataclass(frozen=True)
class Operation:
    """One line of the table: its text for NumPy and minigrad, for PyTorch, and what stands in the braces."""

    text: str
    twin: str
    placeholders: tuple
    flat: bool = False          # no gradient flows through it


def op(text, twin=None, flat=False):
    """Make a line of the table: ``op("np.log({x:positive})", "torch.log({x})")``.

    {x}, {y}, {z} are values, with roles from ROLES; any other name is one of PARAMETERS.  Without a ``twin``
    the text is PyTorch's as well.
    """
    plain, found = "", []
    for literal, name, roles, _ in string.Formatter().parse(text):
        plain += literal
        if name:
            plain += f"{{{name}}}"
            if name not in dict(found):
                found.append((name, tuple(roles.split())))
    return Operation(plain, twin or plain, tuple(found), flat)


def move(text):
    """Make a line whose operation only moves elements (or fills in 0): in PyTorch the same, done with their numbers."""
    made = op(text)
    return Operation(made.text, f"moved(lambda x: {made.text.replace('{x}', 'x')}, {{x}})", made.placeholders)


# -------------------------------------------------------------------------------------------- roles

@dataclass(frozen=True)
class Shape:
    """A condition on the shape of an argument v beside the first one, x; and how a shape for a new one is made."""

    test: Any
    make: Any = None


@dataclass(frozen=True)
class Role:
    """What an argument has to be like, and operations that make it so, the first that works being taken."""

    shape: Shape = None
    test: Any = None
    ways: tuple = ()
    kink: bool = False          # only there to keep away from kinks and ties


def fit_together(*shapes):
    """Say whether shapes broadcast, to a moderate size."""
    try:
        return math.prod(np.broadcast_shapes(*shapes)) <= SIZE
    except ValueError:
        return False


def multiplies(v, x):
    """Say whether x @ v is defined."""
    if not x.ndim or not v.ndim or x.shape[-1] != v.shape[-2 if v.ndim > 1 else 0]:
        return False
    return fit_together(x.shape[:-2], v.shape[:-2])


def distances(v):
    """Return the distances between neighbours among the sorted elements, and infinity."""
    return np.diff(np.sort(v, axis=None), append=np.inf)


def is_square(v):
    """Say whether v holds small square matrices."""
    return v.ndim >= 2 and v.shape[-1] == v.shape[-2] <= 4


BROADCAST = Shape(lambda v, x: fit_together(v.shape, x.shape))

def shapes(*texts):
    """Return a maker of shapes: one of these texts, in which {n} is the length of the first argument's last axis."""
    def make(pick, x):
        text = pick(texts)
        if "{n}" not in text:
            return text
        return text.format(n=x.shape[-1]) if x.ndim else None
    return make


ROLES = {
    # shapes; the second argument is BROADCAST beside the first where nothing else is said
    "any": Role(Shape(lambda v, x: True)),
    "array": Role(Shape(lambda v, x: v.ndim > 0)),
    "several": Role(Shape(lambda v, x: v.ndim > 0 and min(v.shape) > 1, shapes("(3,)", "(2, 3)"))),
    "like": Role(Shape(lambda v, x: v.shape == x.shape)),
    "into": Role(Shape(lambda v, x: fit_together(v.shape, x.shape)
                       and np.broadcast_shapes(v.shape, x.shape) == x.shape)),
    "recorded": Role(),                                 # the builder looks for a result on the tape
    "vector": Role(Shape(lambda v, x: v.ndim == 1, shapes("(3,)", "(2,)"))),
    "as_long": Role(Shape(lambda v, x: v.ndim == 1 and v.shape == x.shape[-1:])),
    "matrix": Role(Shape(lambda v, x: v.ndim == 2, shapes("(2, 3)", "(3, 2)", "(1, 3)"))),
    "matrices": Role(Shape(lambda v, x: v.ndim >= 2, shapes("(2, 3)", "(2, 3, 2)"))),
    "square": Role(Shape(lambda v, x: is_square(v), shapes("(2, 2)", "(3, 3)", "(2, 2, 2)"))),
    "one_square": Role(Shape(lambda v, x: v.ndim == 2 and is_square(v), shapes("(2, 2)", "(3, 3)"))),
    "right": Role(Shape(multiplies, shapes("({n},)", "({n}, 2)", "({n}, 1)", "(2, {n}, 2)"))),
    "rows": Role(Shape(lambda v, x: v.ndim == 2 and v.shape[0] == x.shape[-1], shapes("({n}, 2)"))),
    "system": Role(Shape(lambda v, x: multiplies(v, x) and v.size, shapes("({n},)", "({n}, 2)"))),
    "weight": Role(Shape(lambda v, x: v.shape == (2, *x.shape[-1:]), shapes("(2, {n})"))),
    "bias": Role(Shape(lambda v, x: v.shape == (2,), shapes("(2,)"))),
    "cube": Role(Shape(lambda v, x: v.ndim >= 3, shapes("(2, 3, 2)"))),
    "threes": Role(Shape(lambda v, x: v.shape[-1:] == (3,), shapes("(2, 3)"))),
    "images": Role(Shape(lambda v, x: v.ndim == 4 and min(v.shape[2:]) > 1, shapes("(1, 2, 3, 3)"))),
    "kernels": Role(Shape(lambda v, x: v.ndim == 4 and v.shape[:2] == (2, x.shape[1]) and max(v.shape[2:]) <= 2, (
        lambda pick, x: f"(2, {x.shape[1]}, 2, {pick((1, 2))})"))),
    "joins": Role(Shape(lambda v, x: v.ndim == x.ndim and v.shape[1:] == x.shape[1:])),
    "joins_last": Role(Shape(lambda v, x: v.ndim == x.ndim and v.shape[:-1] == x.shape[:-1])),
    # values
    "bounded": Role(None, lambda v, *_: abs(v).max() <= LARGE, (op("{smaller} * {x}"),)),
    "small": Role(None, lambda v, *_: abs(v).max() <= 1, (op("{tiny} * {x}"),)),
    "tiny": Role(None, lambda v, *_: abs(v).max() <= 0.2, (op("{tiny} * {x}"),)),
    "unit": Role(None, lambda v, *_: abs(v).max() <= 0.9, (op("{tiny} * {x}"),)),
    "positive": Role(None, lambda v, *_: v.min() >= 0.3, (op("0.5 + {x} * {x}"),)),
    "probable": Role(None, lambda v, *_: v.min() >= 0.1 and v.max() <= 0.9, (op("0.5 + {tiny} * {x}"),)),
    "over_one": Role(None, lambda v, *_: v.min() >= 1.3, (op("1.5 + {x} * {x}"),)),
    "large": Role(None, lambda v, *_: abs(v).min() >= NEAR, (op("{x} + {gap}"),)),      # keeps away from a pole
    "nonzero": Role(None, lambda v, *_: abs(v).min() >= NEAR, (op("{x} + {gap}"),), kink=True),
    "apart": Role(None, lambda v, x, *_: abs(v - x).min() >= NEAR, (op("{x} + {gap}"),), kink=True),
    "distinct": Role(None, lambda v, *_: distances(v).min() >= CLOSE, (
        op("{x} + {steps}"), op("{tiny} * {x} + {steps}")), kink=True),
    "invertible": Role(None, lambda v, *_: np.linalg.cond(v).max() <= 20, (op("{tiny} * {x} + {eye}"),)),
}
FRESH, RECORD = op("{constant} + 0.25 * {x}.sum()"), op("+{x}", "{x} * 1")


# --------------------------------------------------------------------------------------- parameters

def typed(text, dtype):
    """Return the text of a call that makes an array, with the dtype of the program's constants."""
    return text if dtype == "float64" else f"{text[:-1]}, dtype='{dtype}')"


def power_below(limit):
    """Return the parameter: a power of two that takes the largest element below a limit."""
    def parameter(b, x, *_):
        return repr(2.0 ** min(0, math.floor(math.log2(limit / max(limit, abs(x).max())))))
    return parameter


def gap(b, v, *others):
    """Return a number which, added to v, takes it away from 0 (or from the other argument)."""
    return repr(-between(b, v - others[0] if others else v))


def between(b, v):
    """Return a number that lies between the elements of v, or beyond them, none being near."""
    points = np.sort(v, axis=None)
    wide = np.flatnonzero(np.diff(points) > 2.5 * NEAR)
    places = [float(points[0]) - 0.5, *(float(points[i] + points[i + 1]) / 2 for i in wide), float(points[-1]) + 0.5]
    place = b.pick(places[1:-1] if len(places) > 2 and b.pick((True, True, False)) else places)
    return round(4 * place) / 4 if b.ties else round(place, 3)


def level(b, x, *_):
    """Return a threshold: away from all elements, or, where ties are wanted, one of them."""
    return repr(float(b.pick(x.ravel()))) if b.ties else repr(between(b, x))


def levels(b, x, *_):
    """Return two thresholds, the lower one first."""
    return ", ".join(sorted((level(b, x), level(b, x)), key=float))


def constant_array(b, x, *_):
    """Return an array that broadcasts with x."""
    shape = b.pick([s for s in (x.shape, x.shape[1:], (2, *x.shape), (*x.shape[:-1], 1)) if s] or [(2,)])
    return b.ramp(shape)


def array_into(b, x, *_):
    """Return an array that broadcasts to the shape of x."""
    return b.ramp(b.pick([s for s in (x.shape, x.shape[1:]) if s])) if x.ndim else None


def axis(b, x, *_):
    return str(b.pick(range(-x.ndim, x.ndim))) if x.ndim else None


def axes(b, x, *_):
    """Return None, an axis, or a tuple of axes, counted from either end."""
    kind = b.pick((None, int, tuple)) if x.ndim else None
    if kind is not tuple:
        return str(kind and int(axis(b, x)))
    return str(tuple(b.pick((a, a - x.ndim)) for a in permuted(b, range(x.ndim))[:b.pick(range(x.ndim)) + 1]))


def permuted(b, things):
    """Return things in another order."""
    things = list(things)
    return [things.pop(b.pick(range(len(things)))) for _ in range(len(things))]


def other_shape(b, x, *_):
    """Return a shape of as many elements, of up to three axes."""
    n = x.size
    divisors = [d for d in range(1, n + 1) if n % d == 0]
    first, last = b.pick(divisors), b.pick(divisors)
    cubes = [(first, -1, last)] * (n % (first * last) == 0)
    return str(b.pick([(n,), (first, n // first), (-1, last), (1, n, 1), *cubes]))


def index(b, x, *_):
    """Return an index of any kind that NumPy takes, for an array that has axes."""
    if not x.ndim:
        return b.pick(("...", "None", "..., None"))
    n, m = x.shape[0], x.shape[-1]
    rows = [b.pick(range(-n, n)) for _ in range(b.pick((1, 2, 4)))]
    kinds = ["::2", "::-1", f"{n // 2}:", "None", "..., None", "..., ::-1", f"{b.pick(range(-n, n))}", f"..., {m - 1}",
             f"{rows}", f"np.array({rows})", f"[{rows}]", f"..., {[b.pick(range(m)) for _ in range(3)]}",
             f"{mask(b, x)}", f"{[bool(b.pick((0, 1))) for _ in range(n - 1)] + [True]}"]
    if x.ndim > 1:
        kinds += [f"{rows}, {b.pick(range(x.shape[1]))}", "1:, ::-1", f"{rows}, 1:", f"{rows}, None",
                  ":, [0, -1, 0]", f"[[0], [-1]], {[b.pick(range(x.shape[1])) for _ in range(2)]}", "0, ..., None",
                  f"{rows}, ..., {[0] * len(rows)}"]
    return b.pick(kinds)


def mask(b, x, *_):
    """Return an array of truth values of x's shape, not all false."""
    return f"chosen({x.shape}, {b.pick(range(10))})"


def larger_shape(b, x, *_):
    """Return a shape to which x broadcasts."""
    shape = tuple(b.pick((1, 2, 3)) if n == 1 else n for n in x.shape)
    return str(b.pick((shape, (2, *shape))))


def squeezed(b, x, *_):
    """Return an axis of length 1, or None for all."""
    return str(b.pick([None, *(a for a, n in enumerate(x.shape) if n == 1)]))


def pads(b, x, *_):
    """Return widths of padding as np.pad takes them."""
    each = tuple((b.pick((0, 1, 2)), b.pick((0, 1))) for _ in range(x.ndim))
    return str(b.pick((1, (0, 2), each))) if x.ndim else None


def along(b, x, *_):
    """Return the arguments of np.take_along_axis behind x: an array of positions, and the axis."""
    if not x.ndim:
        return None
    a = b.pick(range(-x.ndim, x.ndim))
    return f"order({x.shape}, {b.pick(range(10))}, {a}), {a}"


PARAMETERS = {
    "axis": axis, "axis2": axis, "axes": axes, "shape": other_shape, "index": index, "mask": mask,
    "bigger": larger_shape, "squeezed": squeezed, "pads": pads, "along": along, "level": level, "levels": levels,
    "gap": gap, "array": constant_array, "array_into": array_into,
    "array_like": lambda b, x: b.ramp(x.shape) if x.ndim else None,
    "array_left": lambda b, x: b.ramp((2, x.shape[-2])),
    "weights": lambda b, x: f"({b.ramp(x.shape, 1.0)} + {x.size})",
    "keepdims": lambda b, x: str(b.pick((False, True))),
    "order": lambda b, x: str(tuple(b.pick((a, a - x.ndim)) for a in permuted(b, range(x.ndim)))),
    "new_axis": lambda b, x: str(b.pick(range(-x.ndim - 1, x.ndim + 1))),
    "number": lambda b, x: b.pick(("0.5", "2.0", "-1.5", "3", "-1", "0.25")),
    "rate": lambda b, x: b.pick(("0.5", "1.5", "2.0", "0.25")),
    "smaller": power_below(LARGE), "tiny": power_below(0.2),
    "steps": lambda b, x: b.ramp(x.shape, 0.5),
    "eye": lambda b, x: typed(f"eye({x.shape[-1]})", b.constants),
    "ladder": lambda b, x: typed(f"ladder({x.shape[-2]}, {x.shape[-1]})", b.constants),
    "k": lambda b, x: str(b.pick(range(-min(x.shape[:2], default=1) + 1, max(1, min(x.shape[:2], default=1))))),
    "shift": lambda b, x: str(b.pick((1, -1, 2, 5, 0))),
    "reps": lambda b, x: str(b.pick((2, (2,), (1, 2), (2, 1, 1)))),
    "places": lambda b, x: str([b.pick(range(-min(x.shape), min(x.shape))) for _ in range(3)]) if x.ndim else None,
    "ddof": lambda b, x: str(b.pick((0, 0, 1))),
    "p": lambda b, x: b.pick(("2", "1", "3", "1.5", "np.inf")),
    "times": lambda b, x: str([b.pick((1, 2, 0, 3)) for _ in range(x.shape[-1] - 1)] + [1]) if x.ndim else None,
    "labels": lambda b, x: f"np.array({[b.pick(range(x.shape[1])) for _ in range(x.shape[0])]})",
}


def chosen(shape, turn):
    """Return truth values, about two thirds of them true."""
    return np.asarray(ramp(shape, 1.0, turn) >= -math.prod(shape) // 6)


def order(shape, turn, axis):
    """Return indices that reorder an array of this shape along an axis."""
    return np.argsort(ramp(shape, 1.0, turn), axis=axis)


def eye(n, dtype="float64"):
    """Return the identity matrix."""
    return np.eye(n, dtype=dtype)


def ladder(m, n, dtype="float64"):
    """Return 1, 2, 3, ... on the diagonal of an (m, n) matrix."""
    return np.eye(m, n, dtype=dtype) * np.arange(1, n + 1).astype(dtype)
