"""Functions of each element."""

import numpy as np

from cases.common import COLUMN, CUBE, EXPONENT, MASK, POSITIVE, ROW, A, B, Case, case, elementwise, torch
from minigrad import ops

CASES = [
    elementwise("add", np.add, A, B, twin=lambda a, b: a + b),
    elementwise("add broadcast", np.add, COLUMN, ROW, twin=lambda a, b: a + b),
    elementwise("subtract", np.subtract, A, ROW, twin=lambda a, b: a - b),
    elementwise("multiply", np.multiply, A, B, twin=lambda a, b: a * b),
    elementwise("multiply broadcast", np.multiply, COLUMN, CUBE, twin=lambda a, b: a * b),
    elementwise("multiply by itself", np.multiply, A, A, twin=lambda a, b: a * b),
    elementwise("divide", np.true_divide, A, POSITIVE, twin=lambda a, b: a / b),
    elementwise("divide broadcast", np.true_divide, COLUMN, POSITIVE, twin=lambda a, b: a / b),
    elementwise("power", np.power, POSITIVE, EXPONENT, twin=lambda a, b: a ** b),
    elementwise("cube", np.power, A, 3, twin=lambda x, n: x ** n),
    elementwise("power -1.5", np.power, POSITIVE, -1.5, twin=lambda x, n: x ** n),
    elementwise("2 to the power", np.power, 2.0, A, twin=lambda x, n: x ** n),
    elementwise("negative", np.negative, A, twin=lambda x: -x),
    elementwise("positive", np.positive, A, twin=lambda x: +x),
    elementwise("reciprocal", np.reciprocal, POSITIVE, twin=lambda x: 1 / x),
    elementwise("exp", np.exp, A, twin=lambda x: x.exp()),
    elementwise("log", np.log, POSITIVE, twin=lambda x: x.log()),
    elementwise("sqrt", np.sqrt, POSITIVE, twin=lambda x: x.sqrt()),
    elementwise("square", np.square, A, twin=lambda x: x.square()),
    elementwise("sin", np.sin, A, twin=lambda x: x.sin()),
    elementwise("cos", np.cos, A, twin=lambda x: x.cos()),
    elementwise("tanh", np.tanh, A, twin=lambda x: x.tanh()),
    elementwise("sigmoid", ops.sigmoid, A, twin=lambda x: x.sigmoid(), value=lambda x: 1 / (1 + np.exp(-x))),
    elementwise("absolute", np.absolute, A, twin=lambda x: x.abs()),
    elementwise("relu", ops.relu, A, twin=lambda x: x.relu(), value=lambda x: np.where(x > 0, x, 0)),
    elementwise("maximum", np.maximum, A, ROW, twin=lambda a, b: torch.maximum(a, b)),
    elementwise("minimum", np.minimum, COLUMN, B, twin=lambda a, b: torch.minimum(a, b)),
    elementwise("cast", ops.cast, A, "float64", twin=lambda x, _: x.double(), value=lambda x, dtype: x.astype(dtype)),
    *(case(f"select {what}", ops.select, MASK, a, b, value=np.where,
           twin=lambda c, a, b: torch.where(torch.as_tensor(c), a, b))
      for what, a, b in (("", A, B), ("broadcast", COLUMN, ROW), ("or 0", A, 0.0))),
]

EMPTY = [Case(c.name, c.fn, tuple(np.zeros((0, 3)) if c.is_differentiated(a) else a for a in c.args)) for c in CASES
         if c.elementwise]

POINTS = [
    ("relu at 0", ops.relu, [[-1, 0, 2]], [0, 0, 2], [[0, 0, 1]]),
    ("absolute at 0", np.absolute, [[-2, 0, 3]], [2, 0, 3], [[-1, 0, 1]]),
    ("maximum, a tie", np.maximum, [[1, 2, 3], [1, 3, 2]], [1, 3, 3], [[0.5, 0, 1], [0.5, 1, 0]]),
    ("minimum, a tie", np.minimum, [[1, 2, 3], [1, 3, 2]], [1, 2, 2], [[0.5, 1, 0], [0.5, 0, 1]]),
    ("x**2 at 0", lambda x: x ** 2, [[0, 3]], [0, 9], [[0, 6]]),
    ("x**1 at 0", lambda x: x ** 1, [[0, 3]], [0, 3], [[1, 1]]),
    ("x**0 at 0", lambda x: x ** 0, [[0, 3]], [1, 1], [[0, 0]]),
    ("(-x)**3", lambda x: (-x) ** 3, [[0, 2]], [0, -8], [[0, -12]]),
    ("x**n at 0", np.power, [[0, 0, 0], [0, 1, 2]], [1, 0, 0], [[0, 1, 0], [0, 0, 0]]),
    ("tanh far out", np.tanh, [[-1e3, 0, 20, 1e3]], [-1, 0, 1, 1], [[0, 1, 0, 0]]),
    ("sigmoid far out", ops.sigmoid, [[-1e3, 0, 1e3]], [0, 0.5, 1], [[0, 0.25, 0]]),
]
