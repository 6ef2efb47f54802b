"""Random programs of operations: built line by line, so that every shape fits and every value stays tame.

A program is data: leaves, lines of text in terms of names, and the results that are summed to a loss.  The same
lines run on plain arrays, on tensors and, by the second text of each operation, in PyTorch.  ``str(program)`` is a
listing that can be pasted and run.

Which operation comes next and what it is applied to is asked of ``pick(sequence)``: Hypothesis's choices in the
tests, or a generator's (:func:`random_pick`).  An argument that lies outside the domain of an operation is first taken
into it by a line of its own (``ROLES``), chosen by looking at the value.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

import minigrad as mg
from minigrad import ops
from programs import operands
from programs.operands import PARAMETERS, ROLES
from programs.table import OPERATIONS

try:
    import torch

    from programs import twins
except ImportError:
    torch = None

LARGEST = 1e4
"""Results beyond this are not kept: a loss of 1e30 tells nothing about a term of size 1."""

FROZEN = ("",) * 18 + ("no_grad", "detach")
"""How often a result is made a constant."""

HEADER = """import numpy as np, minigrad as mg          # in tests/
from minigrad import ops
from numpy import array, float64, int64
from programs import chosen, eye, ladder, order, plus_is, ramp"""


# --------------------------------------------------------------------------------- three languages

def plus_is(h, x):
    """Return h after ``h += x``, which on the tape leaves the tensor that was h as it is (off the tape it does not)."""
    h = h if h.requires_grad else h.detach()
    h += x
    return h


@dataclass(frozen=True, eq=False)
class Language:
    """What the text of a line means: the names in it, how a result is finished, and how a gradient is kept out."""

    names: dict
    finish: Callable
    no_grad: Callable = contextlib.nullcontext
    detach: Callable = lambda value: value
    text: str = "text"
    known: dict = field(default_factory=dict)           # text and arguments -> function

    def compiled(self, text, arguments):
        """Return the function of these arguments that a text means."""
        if (text, arguments) not in self.known:
            body = text.format_map({a: a for a in arguments})
            self.known[text, arguments] = eval(f"lambda {', '.join(arguments)}: {body}", self.names)
        return self.known[text, arguments]


HELPERS = {name: getattr(operands, name) for name in ("chosen", "eye", "ladder", "order", "ramp")}
COMMON = {"np": np, "mg": mg, "ops": ops, **HELPERS}
# NumPy scalars and arrays without axes are numbers to a tensor; in NumPy they would make float64 of float32.
ARRAYS = Language({**COMMON, "float64": float, "int64": int, "array": float, "plus_is": lambda h, x: h + x}, np.asarray)
TENSORS = Language({**COMMON, "float64": np.float64, "int64": np.int64, "array": np.array, "plus_is": plus_is},
                   lambda value: value if isinstance(value, mg.Tensor) else mg.tensor(value), mg.no_grad,
                   lambda value: value.detach())
TORCH = torch and Language(
    twins.NAMES, lambda value: torch.as_tensor(value.copy() if isinstance(value, np.ndarray) else value), torch.no_grad,
    lambda value: value.detach(), "twin")


# ---------------------------------------------------------------------------------------- programs

@dataclass(frozen=True)
class Line:
    """One operation: what its result is called, its texts with {x}, {y} for arguments, whether a gradient flows."""

    name: str
    text: str
    twin: str
    inputs: dict
    frozen: str = ""            # "no_grad" or "detach": the result is a constant

    def run(self, values, language):
        fn = language.compiled(getattr(self, language.text), tuple(self.inputs))
        with language.no_grad() if self.frozen == "no_grad" else contextlib.nullcontext():
            value = language.finish(fn(*(values[name] for name in self.inputs.values())))
        return language.detach(value) if self.frozen == "detach" else value

    def __str__(self):
        text = self.text.format_map(self.inputs)
        if self.frozen == "no_grad":
            return f"with mg.no_grad(): {self.name} = {text}"
        return f"{self.name} = ({text}).detach()" if self.frozen else f"{self.name} = {text}"


@dataclass
class Program:
    """Leaves, lines, and the names of the results that make the loss, each with its weights as a text."""

    leaves: dict
    lines: list = field(default_factory=list)
    terms: dict = field(default_factory=dict)
    values: dict = field(default_factory=dict)      # what plain NumPy makes of it
    ties: bool = False                              # whether it is meant to meet kinks and ties
    used: set = field(default_factory=set)          # the operations that a gradient flows through

    def run(self, leaves, language=ARRAYS, held=None):
        """Return all values by name, starting from these leaves; with ``held``, constants keep the values in there."""
        values = dict(leaves)
        for line in self.lines:
            kept = held is not None and line.frozen
            values[line.name] = language.finish(held[line.name]) if kept else line.run(values, language)
        return values

    def loss(self, values, language=ARRAYS, terms=None):
        """Return the sum of the weighted terms (all, or these)."""
        parts = [language.compiled(self.terms[name], ("x",))(values[name])
                 for name in (self.terms if terms is None else terms)]
        return sum(parts[1:], start=parts[0])

    def __str__(self):
        listing = [HEADER]
        for name, a in self.leaves.items():
            body = np.array2string(a, separator=", ", threshold=10_000, floatmode="unique", max_line_width=10_000)
            listing.append(f"{name} = mg.tensor(np.array({body.replace(chr(10), '')}, '{a.dtype}'), "
                           f"requires_grad=True)  # {a.shape}")
        listing += [f"{line}  # {self.values[line.name].shape}" for line in self.lines]
        listing.append("loss = " + " + ".join(text.format(x=name) for name, text in self.terms.items()))
        return "\n".join(listing)

    def __repr__(self):
        return f"\n{self}\n"

    def _repr_pretty_(self, printer, cycle):             # Hypothesis asks for this
        printer.text(repr(self))


# ------------------------------------------------------------------------------------- the builder

class Builder:
    """Writes a program. ``pick`` chooses; with ``ties`` the leaves are whole numbers, and kinks are not kept away."""

    def __init__(self, pick, dtypes=("float64",), ties=False):
        self.pick, self.ties = pick, ties
        self.constants = pick(dtypes)               # the dtype of arrays that are written into the program
        self.program, self.tracked = Program({}, ties=ties), set()
        for name in "abcd"[:pick((1, 2, 3, 4))]:
            shape, dtype, turn = pick(operands.SHAPES), pick(dtypes), pick(range(50))
            a = np.random.default_rng(turn).uniform(-2, 2, shape)
            a = np.asarray(np.round(a) if ties else a, dtype)
            self.program.leaves[name] = self.values[name] = a
            self.tracked.add(name)

    @property
    def values(self):
        return self.program.values

    def add(self, operation):
        """Write a line with this operation, and before it what its arguments need; return its name, or None."""
        arguments, parameters = {}, {}
        for name, roles in operation.placeholders:
            if name in ("x", "y", "z"):
                arguments[name] = self.argument(roles, arguments)
                if arguments[name] is None:
                    return None
        x = self.values[arguments["x"]]
        for name, _ in operation.placeholders:
            if name not in arguments:
                parameters[name] = PARAMETERS[name](self, x)
                if parameters[name] is None:
                    return None
        frozen = "" if self.ties or "plus_is" in operation.text else self.pick(FROZEN)
        return self.write(operation, arguments, parameters, frozen)

    def write(self, operation, arguments, parameters, frozen=""):
        """Write one line and run it on arrays; where the result is of no use, take it back and return None."""
        fill = {**{name: f"{{{name}}}" for name in arguments}, **parameters}
        line = Line(f"t{len(self.program.lines) + 1}", operation.text.format_map(fill),
                    operation.twin.format_map(fill), arguments, frozen)
        value = line.run(self.values, ARRAYS)
        if not 0 < value.size <= operands.SIZE or value.dtype.kind != "f" or not abs(value).max() <= LARGEST:
            return None
        self.program.lines.append(line)
        self.values[line.name] = value
        if not frozen and not operation.flat and not self.tracked.isdisjoint(arguments.values()):
            self.tracked.add(line.name)
            self.program.used.add(operation)
        return line.name

    def argument(self, roles, arguments):
        """Return the name of a value for these roles, made fit by lines of its own; None where there is none."""
        x = self.values[arguments["x"]] if arguments else None
        shape = operands.BROADCAST if arguments else None
        shape = next((ROLES[role].shape for role in roles if ROLES[role].shape), shape)
        names = [name for name, v in self.values.items() if shape is None or shape.test(v, x)]
        if "recorded" in roles:
            names = [name for name in names if name in self.tracked and name not in self.program.leaves]
        if names:
            chosen = self.pick(names[-4:] if self.pick((True, False)) else names)
        elif "recorded" in roles:
            chosen = self.write(operands.RECORD, {"x": self.pick(list(self.program.leaves))}, {})
        else:                                       # a new value of the right shape, that depends on an old one
            made = shape and shape.make and shape.make(self.pick, x)
            chosen = made and self.write(operands.FRESH, {"x": self.pick(list(self.values))},
                                         {"constant": self.ramp(made)})
            if chosen and not shape.test(self.values[chosen], x):
                return None
        for role in (() if "recorded" in roles else ("bounded", *roles)):
            chosen = chosen and self.make_fit(chosen, ROLES[role], arguments)
        return chosen

    def make_fit(self, name, role, arguments):
        """Return a value that fits the role: this one, or what the first way that works makes of it."""
        others = [self.values[a] for a in arguments.values()]
        if role.test is None or (self.ties and role.kink) or role.test(self.values[name], *others):
            return name
        for way in role.ways:
            parameters = {p: PARAMETERS[p](self, self.values[name], *others) for p, _ in way.placeholders if p != "x"}
            made = self.write(way, {"x": name}, parameters)
            if made is not None and role.test(self.values[made], *others):
                return made
        return None

    def ramp(self, shape, step=None):
        """Return the text of a constant array."""
        steps = (0.25, 0.5, 1.0) if self.ties else (0.1, 0.3, 1.0)      # whole quarters tie exactly
        return operands.typed(f"ramp({shape}, {step or self.pick(steps)}, {self.pick(range(10))})", self.constants)

    def finish(self):
        """Make a loss of everything that was not used, and of a leaf if no gradient would flow."""
        used = {name for line in self.program.lines for name in line.inputs.values()}
        names = [name for name in self.values if name not in used]
        if self.tracked.isdisjoint(names):
            names.append("a")
        for name in names:
            v = self.values[name]
            weights = operands.typed(f"ramp({v.shape}, {1.0 if self.ties else round(2 / v.size, 3)})", str(v.dtype))
            self.program.terms[name] = f"({weights} * {{x}}).sum()"
        return self.program


def build(pick, length, operations=OPERATIONS, **options):
    """Return a program of at most ``length`` lines."""
    builder = Builder(pick, **options)
    for _ in range(2 * length):                     # an operation may find nothing that it can be applied to
        if len(builder.program.lines) > length - 4:
            break
        builder.add(pick(operations))
    return builder.finish()


def random_pick(seed):
    """Return a ``pick`` that asks a generator of this seed."""
    rng = np.random.default_rng(seed)
    return lambda sequence: sequence[int(rng.integers(len(sequence)))]
