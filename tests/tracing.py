"""What the tests of traces share: rows, and traces of small runs."""

import math

import numpy as np
from hypothesis import strategies as st

import minigrad as mg
from minigrad import optim
from minigrad.trace import Row

INF, NAN = math.inf, math.nan
NAMES = ["plain", "a,b", 'say "so"', "two\nlines", "\ttab ", "\r", "Ω-权重", "'", '"', ",", "#", "\0", "nul\0", " "]
NUMBERS = [NAN, INF, -INF, -0.0, 0.0, 1e-310, 5e-324, 1.7976931348623157e308, 0.1, 1 / 3, None]
ENDINGS = [".csv", ".jsonl", ".npz"]


def make_row(**values):
    """Return a Row in which little is measured."""
    row = dict.fromkeys(Row._fields)
    row.update(step=0, micro_step=0, stage=0, hook="h", place="gradient", group="", parameter="", status="pass",
               outcome="step", reason="", p=2.0, weight=1.0, lr=0.1, extra="")
    return Row(**{**row, **values})


def trace_of(*rows):
    """Return a trace with these rows."""
    trace = mg.NormTrace()
    trace.extend(rows)
    return trace


def bits(rows):
    """Return rows as something that is equal only if they are so to the bit."""
    return [[(type(v).__name__, v.hex() if isinstance(v, float) else v) for v in row] for row in rows]


text = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
number = st.none() | st.floats()
count = st.none() | st.integers(0, 10 ** 12)
any_row = st.builds(make_row, step=st.integers(0, 10 ** 12), micro_step=st.integers(0, 3), stage=st.integers(0, 9),
                    hook=text, parameter=text, reason=text, extra=text, norm_in=number, norm_out=number, nan=count,
                    coefficient=number, cosine=number, threshold=number, loss=number, lr=number, missing=count,
                    data=number)


def sgd(gradients, *hooks, trace=None, flush=False, names=("a",), **options):
    """Give SGD with lr 0.5 one gradient after another, an array or None for each of its parameters; return the trace.

    The parameters begin as ones.
    """
    trace = mg.NormTrace() if trace is None else trace
    params = None
    for gradient in gradients:
        gradient = gradient if isinstance(gradient, tuple) else (gradient,)
        if params is None:
            params = {name: mg.tensor(np.ones(np.shape(g)), requires_grad=True) for name, g in zip(names, gradient)}
            opt = optim.SGD(params, lr=0.5, hooks=list(hooks), trace=trace, **options)
        for p, g in zip(params.values(), gradient):
            p.grad = g
        opt.step(loss=0.25)
    if flush:
        opt.flush()
    return trace
