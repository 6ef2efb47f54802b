"""Functions of each element."""

import inspect
import math

import numpy as np

from cases.common import COLUMN, CUBE, EXPONENT, MASK, POSITIVE, ROW, A, B, Case, case, elementwise, sample, torch
from minigrad import ops

UNIT, ABOVE_1 = sample(3, 4, low=-0.93, high=0.95), sample(3, 4, low=1.1, high=3.2)
WHOLE = np.array([[3, -2, 0, 1]] * 3, np.int8)
NEAR_0 = np.where(A < 0, A / 20, A / 400)
INF, NAN = math.inf, math.nan


def plain(name, fn, x, value=None):
    """A function of one array that PyTorch has under the same name."""
    return elementwise(name, fn, x, twin=lambda x: getattr(torch, name)(x), value=value)


def activation(name, fn, value, *args, twin_name=None):
    """An activation; PyTorch takes its numbers in the same order."""
    return elementwise(" ".join([name, *map(str, args)]), fn, A, *args, value=value,
                       twin=lambda x, *args: getattr(torch.nn.functional, twin_name or name)(x, *args))


def each(fn):
    return np.vectorize(fn, otypes=[float])


def heaviside_twin(x, middle):
    x = torch.as_tensor(x)
    return torch.where(x == 0, middle, (x > 0).double()) + 0 * x


def sinc_series(x):
    """Return sin(pi x) / (pi x) by its power series: PyTorch's own has a slope that cancels near 0."""
    return sum((-1) ** k * (math.pi * x) ** (2 * k) / math.factorial(2 * k + 1) for k in range(9))


def held(x, low=None, high=None):
    """Return clip in torch's words."""
    low, high = (b if b is None or isinstance(b, torch.Tensor) else torch.as_tensor(b) for b in (low, high))
    return torch.clamp(x, low, high)


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
    Case("float_power", np.float_power, (POSITIVE, EXPONENT), lambda x, n: x ** n, elementwise=True, dtype="float64"),
    elementwise("negative", np.negative, A, twin=lambda x: -x),
    elementwise("positive", np.positive, A, twin=lambda x: +x),
    elementwise("reciprocal", np.reciprocal, POSITIVE, twin=lambda x: 1 / x),
    elementwise("remainder", np.remainder, A, POSITIVE, twin=lambda a, b: a % b),
    elementwise("remainder of a negative divisor", np.remainder, A, -POSITIVE, twin=lambda a, b: a % b),
    elementwise("fmod", np.fmod, A, POSITIVE[::-1].copy(), twin=lambda a, b: torch.fmod(a, b)),
    case("ldexp", np.ldexp, A, WHOLE, twin=lambda x, n: x * 2.0 ** torch.as_tensor(n)),

    plain("exp", np.exp, A), plain("exp2", np.exp2, A), plain("expm1", np.expm1, A),
    plain("log", np.log, POSITIVE), plain("log2", np.log2, POSITIVE), plain("log10", np.log10, POSITIVE),
    plain("log1p", np.log1p, UNIT),
    elementwise("logaddexp", np.logaddexp, A, ROW, twin=lambda a, b: torch.logaddexp(a, b)),
    elementwise("logaddexp2", np.logaddexp2, A, B, twin=lambda a, b: torch.logaddexp2(a, b)),
    plain("sqrt", np.sqrt, POSITIVE), plain("square", np.square, A),
    elementwise("cbrt", np.cbrt, A, twin=lambda x: x.sign() * x.abs() ** (1 / 3)),
    elementwise("hypot", np.hypot, A, ROW, twin=lambda a, b: torch.hypot(a, b)),

    plain("sin", np.sin, A), plain("cos", np.cos, A), plain("tan", np.tan, A),
    plain("arcsin", np.arcsin, UNIT), plain("arccos", np.arccos, UNIT), plain("arctan", np.arctan, A),
    elementwise("arctan2", np.arctan2, A, ROW, twin=lambda a, b: torch.atan2(a, b)),
    plain("sinh", np.sinh, A), plain("cosh", np.cosh, A), plain("tanh", np.tanh, A),
    plain("arcsinh", np.arcsinh, A), plain("arccosh", np.arccosh, ABOVE_1), plain("arctanh", np.arctanh, UNIT),
    plain("sinc", np.sinc, A),
    elementwise("sinc near 0", np.sinc, NEAR_0, twin=sinc_series),
    *(elementwise(fn.__name__, fn, A, twin=lambda x, k=k: x * k)
      for fn, k in ((np.degrees, 180 / math.pi), (np.rad2deg, 180 / math.pi),
                    (np.radians, math.pi / 180), (np.deg2rad, math.pi / 180))),

    elementwise("sigmoid", ops.sigmoid, A, twin=lambda x: x.sigmoid(), value=lambda x: 1 / (1 + np.exp(-x))),
    activation("relu", ops.relu, lambda x: np.where(x > 0, x, 0)),
    *(activation("leaky_relu", ops.leaky_relu, lambda x, s=0.01: np.where(x > 0, x, s * x), *s) for s in ((), (0.2,))),
    *(activation("elu", ops.elu, lambda x, a=1.0: np.where(x > 0, x, a * (np.exp(x) - 1)), *a) for a in ((), (1.7,))),
    activation("selu", ops.selu, lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x))),
    activation("silu", ops.silu, lambda x: x / (1 + np.exp(-x))),
    elementwise("softplus", ops.softplus, A, value=lambda x: np.log1p(np.exp(x)),        # exact further out than 20
                twin=lambda x: torch.nn.functional.softplus(x, threshold=100)),
    activation("log_sigmoid", ops.log_sigmoid, lambda x: -np.log1p(np.exp(-x)), twin_name="logsigmoid"),
    activation("gelu", ops.gelu, each(lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2)),
    elementwise("gelu by tanh", ops.gelu, A, "tanh",
                value=lambda x, _: x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3))) / 2,
                twin=lambda x, how: torch.nn.functional.gelu(x, approximate=how)),
    activation("hardtanh", ops.hardtanh, lambda x, low=-1.0, high=1.0: np.clip(x, low, high)),
    activation("hardtanh", ops.hardtanh, lambda x, low, high: np.clip(x, low, high), -0.5, 1.5),
    plain("erf", ops.erf, A, each(math.erf)), plain("erfc", ops.erfc, A, each(math.erfc)),
    elementwise("bell", ops.bell, A, twin=lambda x: torch.exp(-x * x), value=lambda x: np.exp(-x * x)),

    plain("absolute", np.absolute, A), elementwise("fabs", np.fabs, A, twin=lambda x: x.abs()),
    elementwise("maximum", np.maximum, A, ROW, twin=lambda a, b: torch.maximum(a, b)),
    elementwise("minimum", np.minimum, COLUMN, B, twin=lambda a, b: torch.minimum(a, b)),
    elementwise("fmax", np.fmax, A, ROW, twin=lambda a, b: torch.fmax(a, b)),
    elementwise("fmin", np.fmin, COLUMN, B, twin=lambda a, b: torch.fmin(a, b)),
    elementwise("copysign", np.copysign, A, ROW, twin=lambda a, b: torch.copysign(a, b)),
    elementwise("heaviside", np.heaviside, A, B, twin=heaviside_twin),
    case("heaviside of whole numbers", np.heaviside, WHOLE, B, twin=heaviside_twin),
    elementwise("nan_to_num", np.nan_to_num, A, twin=lambda x: torch.nan_to_num(x)),
    *(elementwise(f"clip {what}", ops.clip, *args, twin=held, value=np.clip) for what, args in (
        ("by numbers", (A, -1, 1.0)), ("from below", (A, -0.5, None)), ("from above", (A, None, 0.5)),
        ("by arrays", (A, COLUMN, COLUMN + 1.03)), ("by bounds that cross", (A, ROW, B)))),
    elementwise("np.clip", np.clip, A, -1.0, 1.0, twin=held),
    *([case("np.clip, min and max", np.clip, A, min=-1.0, max=1.0, twin=lambda x, min, max: x.clamp(min, max))]
      if "min" in inspect.signature(np.clip).parameters else []),                                # since NumPy 2.1
    Case("cast", ops.cast, (A, "float64"), lambda x, _: x.double(), lambda x, dtype: x.astype(dtype), elementwise=True,
         dtype="float64"),
    *(case(f"select {what}", ops.select, MASK, a, b, value=np.where,
           twin=lambda c, a, b: torch.where(torch.as_tensor(c), a, b))
      for what, a, b in (("", A, B), ("broadcast", COLUMN, ROW), ("or 0", A, 0.0))),
    case("np.select", lambda a, b, select=np.select: select([MASK, A > 1], [a, b], 0.5), A, B,
         twin=lambda a, b: torch.where(torch.tensor(MASK), a, torch.where(torch.tensor(A > 1), b, 0.5))),
]

EMPTY = [Case(c.name, c.fn, tuple(np.zeros((0, 3)) if c.is_differentiated(a) else a
                                  for a in c.args)) for c in CASES if c.elementwise]

POINTS = [
    ("relu at 0", ops.relu, [[-1, 0, 2]], [0, 0, 2], [[0, 0, 1]]),
    ("relu of NaN", ops.relu, [[NAN, 1]], [NAN, 1], [[1, 1]]),
    ("elu of NaN", lambda x: ops.elu(x, 2.0), [[NAN, 1]], [NAN, 1], [[1, 1]]),
    ("selu of NaN", ops.selu, [[NAN]], [NAN], [[1.0507009873554805]]),
    ("leaky_relu of NaN", lambda x: ops.leaky_relu(x, 0.2), [[NAN, 1]], [NAN, 1], [[0.2, 1]]),
    ("hardtanh of NaN", ops.hardtanh, [[NAN, 0]], [NAN, 0], [[1, 1]]),
    ("maximum beside NaN", np.maximum, [[NAN, 1, NAN, 1], [1, NAN, NAN, 0]], [NAN, NAN, NAN, 1],
     [[1, 1, 1, 1], [1, 1, 1, 0]]),
    ("minimum beside NaN", np.minimum, [[NAN, 1, NAN, 1], [1, NAN, NAN, 0]], [NAN, NAN, NAN, 0],
     [[1, 1, 1, 0], [1, 1, 1, 1]]),
    ("maximum with a number, of NaN", lambda x: np.maximum(x, 0.5), [[NAN, 1, 0]], [NAN, 1, 0.5], [[1, 1, 0]]),
    ("leaky_relu at 0", lambda x: ops.leaky_relu(x, 0.2), [[-1e300, 0, 2]], [-2e299, 0, 2], [[0.2, 0.2, 1]]),
    ("elu at 0", lambda x: ops.elu(x, 2.0), [[-1e3, 0, 1e3]], [-2, 0, 1e3], [[0, 2, 1]]),
    ("selu at 0", ops.selu, [[-1e3, 0, 1e3]], [-1.0507009873554805 * 1.6732632423543772, 0, 1050.7009873554805],
     [[0, 1.0507009873554805 * 1.6732632423543772, 1.0507009873554805]]),
    ("hardtanh at its bounds", ops.hardtanh, [[-2, -1, 0, 1, 2]], [-1, -1, 0, 1, 1], [[0, 0, 1, 0, 0]]),
    ("clip at its bounds", lambda x: np.clip(x, -1, 1), [[-2, -1, 0, 1, 2]], [-1, -1, 0, 1, 1], [[0, 1, 1, 1, 0]]),
    ("clip, at bounds that are tensors", np.clip, [[-2, -1, 0, 1, 2], [-1] * 5, [1] * 5], [-1, -1, 0, 1, 1],
     [[0, 1, 1, 1, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0, 1]]),
    ("clip, bounds that meet", np.clip, [[-2, 1, 2], [1] * 3, [1] * 3], [1, 1, 1],
     [[0, 1, 0], [0, 0, 0], [0, 0, 1]]),
    ("clip, bounds that cross", np.clip, [[-2, 0, 2], [1] * 3, [-1] * 3], [-1, -1, -1],
     [[0, 0, 0], [0, 0, 0], [1, 1, 1]]),
    ("clip of NaN", lambda x: np.clip(x, -1, 1), [[NAN, 0]], [NAN, 0], [[0, 1]]),
    ("absolute at 0", np.absolute, [[-2, 0, 3]], [2, 0, 3], [[-1, 0, 1]]),
    ("fabs at 0", np.fabs, [[-2, 0, 3]], [2, 0, 3], [[-1, 0, 1]]),
    ("maximum, a tie", np.maximum, [[1, 2, 3], [1, 3, 2]], [1, 3, 3], [[0.5, 0, 1], [0.5, 1, 0]]),
    ("minimum, a tie", np.minimum, [[1, 2, 3], [1, 3, 2]], [1, 2, 2], [[0.5, 1, 0], [0.5, 0, 1]]),
    ("fmax, a tie and NaN", np.fmax, [[1, 2, NAN, 1, NAN], [1, 3, 1, NAN, NAN]], [1, 3, 1, 1, NAN],
     [[1, 0, 0, 1, 1], [0, 1, 1, 0, 0]]),
    ("fmin, a tie and NaN", np.fmin, [[1, 2, NAN, 1, NAN], [1, 3, 1, NAN, NAN]], [1, 2, 1, 1, NAN],
     [[1, 1, 0, 1, 1], [0, 0, 1, 0, 0]]),
    ("copysign at 0", np.copysign, [[-2, 0, 3, 0], [1, -1, -0.0, 1]], [2, 0, -3, 0], [[-1, 0, -1, 0], [0, 0, 0, 0]]),
    ("heaviside at 0", np.heaviside, [[-1, 0, 1], [0.5, 0.5, 0.5]], [0, 0.5, 1], [[0, 0, 0], [0, 1, 0]]),
    ("nan_to_num", lambda x: np.nan_to_num(x, nan=7.0, posinf=8.0, neginf=-8.0), [[-1, NAN, INF, -INF]],
     [-1, 7, 8, -8], [[1, 0, 0, 0]]),
    ("x**2 at 0", lambda x: x ** 2, [[0, 3]], [0, 9], [[0, 6]]),
    ("x**1 at 0", lambda x: x ** 1, [[0, 3]], [0, 3], [[1, 1]]),
    ("x**0 at 0", lambda x: x ** 0, [[0, 3]], [1, 1], [[0, 0]]),
    ("(-x)**3", lambda x: (-x) ** 3, [[0, 2]], [0, -8], [[0, -12]]),
    ("x**n at 0", np.power, [[0, 0, 0], [0, 1, 2]], [1, 0, 0], [[0, 1, 0], [0, 0, 0]]),
    ("float_power at 0", np.float_power, [[0, 0, 0], [0, 1, 2]], [1, 0, 0], [[0, 1, 0], [0, 0, 0]]),
    ("remainder", np.remainder, [[-2.5, 0, 3, 5], [1, -1, 2, -2]], [0.5, 0, 1, -1], [[1] * 4, [3, 0, -1, 3]]),
    ("fmod", np.fmod, [[-2.5, 0, 3, 5], [1, -1, 2, -2]], [-0.5, 0, 1, 1], [[1] * 4, [2, 0, -1, 2]]),
    ("ldexp", lambda x: np.ldexp(x, 3), [[0, -1.5]], [0, -12], [[8, 8]]),
    ("hypot at (0, 0)", np.hypot, [[0, 3, 0], [0, 4, 2]], [0, 5, 2], [[0, 0.6, 0], [0, 0.8, 1]]),
    ("arctan2 at (0, 0) and on the cut", np.arctan2, [[0, 0, 0, 2], [0, 4, -1, 0]], [0, 0, math.pi, math.pi / 2],
     [[0, 0.25, -1, 0], [0, 0, 0, -0.5]]),
    ("sinc at 0 and whole numbers", np.sinc, [[0, 1e-9, 1, -2]],
     [1, 1, np.sinc(1.0), np.sinc(-2.0)], [[0, -math.pi ** 2 / 3 * 1e-9, -1, -0.5]]),
    ("tanh far out", np.tanh, [[-1e3, 0, 20, 1e3]], [-1, 0, 1, 1], [[0, 1, 0, 0]]),
    ("sigmoid far out", ops.sigmoid, [[-1e3, 0, 1e3]], [0, 0.5, 1], [[0, 0.25, 0]]),
    ("softplus far out", ops.softplus, [[-1e3, 0, 1e3]], [0, math.log(2), 1e3], [[0, 0.5, 1]]),
    ("log_sigmoid far out", ops.log_sigmoid, [[-1e3, 0, 1e3]], [-1e3, -math.log(2), 0], [[1, 0.5, 0]]),
    ("silu far out", ops.silu, [[-1e3, 0, 1e3]], [0, 0, 1e3], [[0, 0.5, 1]]),
    ("gelu far out", ops.gelu, [[-1e3, 0, 1e3, -1e200, 1e200]], [0, 0, 1e3, 0, 1e200], [[0, 0.5, 1, 0, 1]]),
    ("gelu by tanh far out", lambda x: ops.gelu(x, "tanh"), [[-1e3, 0, 1e3, 1e200]], [0, 0, 1e3, 1e200],
     [[0, 0.5, 1, 1]]),
    ("erf far out", ops.erf, [[-1e200, 0, 1e200]], [-1, 0, 1], [[0, 2 / math.sqrt(math.pi), 0]]),
    ("erfc far out", ops.erfc, [[-1e200, 0, 1e200]], [2, 1, 0], [[0, -2 / math.sqrt(math.pi), 0]]),
    ("bell far out", ops.bell, [[-1e200, 0, 1e200]], [0, 1, 0], [[0, 0, 0]]),
    ("expm1 far out", np.expm1, [[-1e3, -40, 1e-300]], [-1, -1, 1e-300], [[0, math.exp(-40), 1]]),
    ("log1p near 0 and far out", np.log1p, [[1e-300, 1e300]], [1e-300, 300 * math.log(10)], [[1, 1e-300]]),
    ("logaddexp far out", np.logaddexp, [[1e4, -1e4, 0, -INF, -INF], [-1e4, -1e4, -INF, 0, -INF]],
     [1e4, math.log(2) - 1e4, 0, 0, -INF], [[1, 0.5, 1, 0, 0], [0, 0.5, 0, 1, 0]]),
    ("logaddexp2 far out", np.logaddexp2, [[1e4, -1e4, 0, -INF], [-1e4, -1e4, -INF, -INF]], [1e4, 1 - 1e4, 0, -INF],
     [[1, 0.5, 1, 0], [0, 0.5, 0, 0]]),
    ("hypot far out", np.hypot, [[3e200, 3e-200], [4e200, 4e-200]], [5e200, 5e-200], [[0.6, 0.6], [0.8, 0.8]]),
    ("arctan far out", np.arctan, [[-1e200, 1e3, 1e4]], [-math.pi / 2, math.atan(1e3), math.atan(1e4)],
     [[0, 1 / (1 + 1e6), 1 / (1 + 1e8)]]),
    ("arctan2 far out", np.arctan2, [[1e200, 1e-200], [1e200, 1e-200]], [math.pi / 4] * 2,
     [[5e-201, 5e199], [-5e-201, -5e199]]),
    ("arcsinh far out", np.arcsinh, [[-1e200, 1e3]], [-math.asinh(1e200), math.asinh(1e3)],
     [[1e-200, 1 / math.hypot(1, 1e3)]]),
    ("arccosh far out", np.arccosh, [[1e200, 1e3]], [math.acosh(1e200), math.acosh(1e3)],
     [[1e-200, 1 / math.sqrt(1e6 - 1)]]),
    ("cbrt of 1e-300 and 1e300", np.cbrt, [[1e-300, -1e300]], [1e-100, -1e100], [[1e200 / 3, 1e-200 / 3]]),
    ("cosh of 700", np.cosh, [[-700, 700]], [math.cosh(700)] * 2, [[math.sinh(-700), math.sinh(700)]]),
]

FLAT = {fn: 2 for fn in (np.isclose, np.allclose, np.array_equal, np.array_equiv, np.isin)}
