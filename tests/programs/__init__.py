"""Random programs: the table of operations (``table``), what they are applied to (``operands``), how they are built."""

from programs.build import ARRAYS, TENSORS, TORCH, Builder, Program, build, plus_is, random_pick
from programs.operands import chosen, eye, ladder, order, ramp
from programs.table import EXACT, OPERATIONS, SMOOTH

__all__ = ["ARRAYS", "EXACT", "OPERATIONS", "SMOOTH", "TENSORS", "TORCH", "Builder", "Program", "build", "chosen",
           "eye", "ladder", "order", "plus_is", "ramp", "random_pick"]
