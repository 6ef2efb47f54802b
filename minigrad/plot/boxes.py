"""What the picture of a graph is made of: a box per node of the tape, and one for what repeats itself.

Boxes hold numbers and text.  They keep no node and no array alive, and the tape stays as it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from minigrad.engine import visit
from minigrad.gradient import grad, starting_cotangent
from minigrad.norms import norm
from minigrad.table import Node, name_of

LONGEST = 18
"""Names are shortened to so many letters."""

STRIPES = 60
"""So many repetitions of a fold are measured at most, evenly spaced."""

SLOTS = 8
"""An operation of more arguments is taken to be like no other."""

REPEATS = 4
"""What occurs fewer times than this in a row is not folded."""

PERIOD = 150
"""The longest stretch, in operations, of which repetitions are looked for."""


@dataclass
class Box:
    """A box of the picture.

    Attributes:
        kind: "op", "leaf", "data" (an array that no gradient was asked for), "unused" (a named tensor that the loss
            does not depend on), or "fold".
        title, detail: what is written in it.
        parents: indices of the boxes that it was made from.
        numbers: of the tape's nodes that it stands for; of a fold, those that end
            its repetitions (or 60 of them).
        norms: their gradient norms; None where no gradient arrived.
    """

    kind: str
    title: str
    detail: str
    parents: list = field(default_factory=list)
    numbers: list = field(default_factory=list)
    norms: list = field(default_factory=list)


def boxes_of(loss, names=None, gradient=None, fold=None, above=40, data=True, limit=200):
    """Return the boxes of the graph of ``loss``, parents before children, with their gradient norms.

    Args:
        loss, names, gradient, fold, data, limit: as for :func:`minigrad.plot.graph`.
        above: with ``fold=None``, more boxes than this are folded.
    """
    seed = starting_cotangent(loss, gradient, False)        # refuses what has no gradient, before anything is done
    nodes = visit([loss])
    called, arrays, unused = known(names, {node._number for node in nodes})
    count = len(nodes) + len({key for node in nodes for key, source in sources(node, data) if key[0] == "data"})
    fold = count > above if fold is None else fold
    boxes = assemble(nodes, called, arrays, unused, folds(nodes) if fold else {}, data)
    if len(boxes) > limit:
        raise ValueError(
            f"the graph has {len(nodes)} nodes, which make {len(boxes)} boxes{' when folded' if fold else ''}, more "
            f"than limit={limit}: nobody could read it. Draw a part, plot.graph(h.sum()) for a result h on the way; or "
            f"a net of fewer layers or time steps{'' if fold else '; or fold what repeats itself, fold=True'}; or "
            f"raise limit=")
    measure(loss, seed, nodes, boxes)
    return boxes


def measure(loss, seed, nodes, boxes):
    """Fill in the gradient norms, by one backward sweep that leaves every ``.grad`` alone."""
    shown = {number for box in boxes for number in box.numbers}
    wanted = [node for node in nodes if node._number in shown]
    with np.errstate(all="ignore"):                         # an overflow is shown, not warned of
        found = grad(loss, wanted, seed, retain_graph=True, allow_unused=True)
    lengths = {node._number: None if g is None else norm(g._array) for node, g in zip(wanted, found)}
    for box in boxes:
        box.norms = [lengths[number] for number in box.numbers]


# --------------------------------------------------------------------------------------- names

def known(names, numbers):
    """Return names by number of a node, (name, array) of all, and (name, detail) of what is not on the way."""
    if names is None:
        return {}, [], []
    if hasattr(names, "named_parameters"):
        items = list(names.named_parameters())
    elif isinstance(names, Mapping):
        items = list(names.items())
    else:
        raise TypeError(f"names takes a Module or a mapping name -> tensor, not {type(names).__name__}")
    called, arrays, unused = {}, [], []
    for name, tensor in items:
        if isinstance(tensor, Node):
            called.setdefault(tensor._number, str(name))
            arrays.append((str(name), tensor._array))
            if tensor._requires_grad and tensor._number not in numbers:
                unused.append((shortened(str(name)), detail_of(tensor._array)))
        elif isinstance(tensor, np.ndarray):
            arrays.append((str(name), tensor))
        else:
            raise TypeError(f"names[{name!r}] is a {type(tensor).__name__}; it takes tensors and arrays")
    return called, arrays, unused


def shortened(name):
    """Return a name; of a long one the ends."""
    if len(name) <= LONGEST:
        return name
    return f"{name[:LONGEST // 2 - 1]}\N{HORIZONTAL ELLIPSIS}{name[-LONGEST // 2:]}"


def detail_of(array):
    """Return the value of a single number, the shape of an array."""
    return f"= {array.item():.4g}" if array.size == 1 else "\N{MULTIPLICATION SIGN}".join(map(str, array.shape))


def operation(node):
    """Return the name of the operation that made a node; of a slice, with what it takes."""
    name = name_of(node._fn).rpartition(".")[2]
    if name != "take" or len(node._saved) < 2:
        return shortened(name)
    index = node._saved[1]
    parts = [part_of_index(part) for part in (index if isinstance(index, tuple) else (index,))]
    text = f"[{', '.join(parts)}]"
    return f"take {text}" if len(text) < LONGEST - 4 and all(parts) else "take"


def part_of_index(part):
    """Return an index as it is written; "" for one that is an array."""
    if isinstance(part, slice):
        ends = (part.start, part.stop, part.step)[:2 if part.step is None else 3]
        return ":".join("" if end is None else str(end) for end in ends)
    if part is Ellipsis:
        return "\N{HORIZONTAL ELLIPSIS}"
    return str(part) if np.ndim(part) == 0 else ""


# ------------------------------------------------------------------------------------- assembly

def assemble(nodes, called, arrays, unused, hidden, data):
    """Return the boxes; ``hidden`` says of a folded node, by number, to which fold it belongs."""
    users = {}                              # leaf or array -> the folds that use it, None for a box of its own
    for node in nodes:
        for key, _ in sources(node, data):
            users.setdefault(key, {})[hidden[node._number].name if node._number in hidden else None] = None
    absorbed = {key for key, used in users.items() if None not in used and len(used) == 1}
    boxes, place = [], {}

    def add(key, box):
        place[key] = len(boxes)
        boxes.append(box)

    for name, detail in unused[:3] if len(unused) > 4 else unused:
        add(("unused", name), Box("unused", name, detail))
    if len(unused) > 4:
        add(("unused", ""), Box("unused", f"{len(unused) - 3} more", "parameters"))
    for node in nodes:
        fold = hidden.get(node._number)
        for key, source in sources(node, data):
            if key not in place and key not in absorbed:
                add(key, source_box(source, called, arrays))
        if node._fn is None:
            if node is nodes[-1]:                           # the loss is a leaf itself
                add(("leaf", node._number), source_box(node, called, arrays))
            continue
        if fold is None:
            name = called.get(node._number)
            title = operation(node) if name is None else shortened(f"{name} = {operation(node)}")
            add(node._number, Box("op", title, detail_of(node._array), numbers=[node._number]))
        elif fold.name not in place:
            leaves = sum(key[0] == "leaf" and key in absorbed and fold.name in users[key] for key in users)
            detail = fold.inside + (f"; {leaves} leaves" if leaves else "")
            add(fold.name, Box("fold", f"{fold.repeats} more like this", detail))
        at = place[node._number if fold is None else fold.name]
        if fold is not None:
            place[node._number] = at
            if node._number in fold.ends:
                boxes[at].numbers.append(node._number)
        for key in [*(key for key, _ in sources(node, data)),
                    *(p._number for p in node._parents if p is not None and p._fn is not None)]:
            origin = place.get(key)
            if origin is not None and origin != at and (fold is None or origin not in boxes[at].parents):
                boxes[at].parents.append(origin)
    return sources_first(boxes)


def sources_first(boxes):
    """Return the boxes with those that have no parents at the beginning: a fold may have met some of them late."""
    order = sorted(range(len(boxes)), key=lambda k: boxes[k].kind in ("op", "fold"))
    place = {old: new for new, old in enumerate(order)}
    for box in boxes:
        box.parents = [place[p] for p in box.parents]
    return [boxes[k] for k in order]


def sources(node, data):
    """Yield what a node used that is no result: (number, leaf), and (id, array) where no gradient was asked for."""
    for parent in node._parents:
        if parent is not None and parent._fn is None:
            yield ("leaf", parent._number), parent
    if data:
        for parent, saved in zip(node._parents, node._saved):
            if parent is None and isinstance(saved, np.ndarray) and saved.size > 1:
                yield ("data", id(saved)), saved


def source_box(source, called, arrays):
    """Return the box of a leaf or of data."""
    if isinstance(source, Node):
        name = called.get(source._number) or getattr(source, "name", None) or "leaf"
        return Box("leaf", shortened(name), detail_of(source._array), numbers=[source._number])
    # The tape has a copy of an array that could have been changed, so it is known by what it holds.
    alike = (name for name, array in arrays if array.shape == source.shape and np.array_equal(array, source))
    return Box("data", shortened(next(alike, "data")), detail_of(source))


# -------------------------------------------------------------------------------------- folding

@dataclass
class Fold:
    """A stretch of the tape that is drawn as one box: so many repetitions, what is inside, and the ends of some."""

    name: str
    repeats: int
    inside: str
    ends: set


def folds(nodes):
    """Return number of a node -> the Fold in which it is hidden.

    The tape is in the order of creation, so a net of equal layers, or unrolled steps, is a sequence with a period: the
    same operations on the same shapes, whose arguments come from as far back, or from the same place, as one period
    earlier.  Of each such stretch the first and the last repetition stay.
    """
    ops = [node for node in nodes if node._fn is not None]
    alike, origin = signatures(ops)
    n = len(ops)
    found = []
    for period in range(1, min(PERIOD, n // REPEATS) + 1):
        same = alike[period:] == alike[:-period]
        where = np.flatnonzero(same)
        shift = origin[where + period] - origin[where]
        same[where] = ((shift == period) | (shift == 0)).all(axis=1)
        edges = np.flatnonzero(np.diff(np.r_[False, same, False].astype(np.int8)))
        for start, end in zip(edges[::2].tolist(), edges[1::2].tolist()):
            repeats = (end - start + period) // period
            if repeats >= REPEATS:
                found.append(((2 - repeats) * period, period, start, repeats))
        if found and min(found)[0] < -0.9 * n:              # nothing longer could hide much more
            break
    taken, hidden = np.zeros(n, dtype=bool), {}
    for _, period, start, repeats in sorted(found):
        stretch = slice(start, start + repeats * period)
        if taken[stretch].any():
            continue
        taken[stretch] = True
        inside = ops[start + period:start + (repeats - 1) * period]
        ends = inside[period - 1::period]
        shown = np.unique(np.linspace(0, len(ends) - 1, min(len(ends), STRIPES)).round().astype(int))
        what = ", ".join(name_of(node._fn).rpartition(".")[2] for node in inside[:period])
        fold = Fold(f"fold at {start}", repeats - 2, what if len(what) <= LONGEST else f"{period} operations each",
                    {ends[k]._number for k in shown.tolist()})
        hidden.update((node._number, fold) for node in inside)
    return hidden


def signatures(ops):
    """Return a number for each operation, the same for those alike, and where its arguments come from (-1: a leaf)."""
    index = {node._number: i for i, node in enumerate(ops)}
    kinds = {}
    alike, origin = np.zeros(len(ops), dtype=np.int64), np.full((len(ops), SLOTS), -1, dtype=np.int64)
    for i, node in enumerate(ops):
        parents = node._parents
        if len(parents) > SLOTS:
            alike[i] = kinds.setdefault(("like no other", i), len(kinds))
            continue
        sort = (node._fn, node._array.shape,
                tuple(None if p is None else p._array.shape if p._fn is None else "result" for p in parents))
        alike[i] = kinds.setdefault(sort, len(kinds))
        for slot, parent in enumerate(parents):
            if parent is not None and parent._fn is not None:
                origin[i, slot] = index[parent._number]
    return alike, origin[:, (origin >= 0).any(axis=0)]
