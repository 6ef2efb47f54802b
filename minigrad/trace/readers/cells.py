"""Cells to numbers, a column at a time; what is not there and what is no number are told apart."""

import math
import re
from typing import NamedTuple

import numpy as np

EMPTY = frozenset(("", "none", "null", "na", "n/a", "<na>", "-", "--", "undefined", "skipped"))
"""Texts (in lower case) for a value that is not there.  "nan" is not among them: it is a value that was measured."""

WRAPPED = re.compile(r"(?:tensor|array|np\.\w+|jnp\.\w+)\(\[?\s*([^,()\]\s]+)")
"""A number as Python prints one that is still in a tensor: tensor(3.4, device='cuda:0')."""

MICROSOFT = re.compile(r"([+-]?)(?:\d\.#)?(inf|nan|qnan|snan|ind)(?:\(\w+\))?", re.IGNORECASE)
"""What C prints elsewhere: 1.#INF, -1.#IND, -nan(ind), nan(snan)."""

THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?")
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d*(?:[eE][+-]?\d+)?")


class Numbers(NamedTuple):
    """A column of numbers: values (NaN where there is none), which are given, and which could not be read."""

    values: np.ndarray
    given: np.ndarray
    bad: np.ndarray


def numbers(cells, comma=False):
    """Return a column of cells as :class:`Numbers`.

    Args:
        cells: a list of texts, numbers and None.
        comma: take ``1,5`` as one and a half, as spreadsheets write it in many countries.

    Example:
        >>> numbers(["1.5", "", "nan", "abc"])
        Numbers(values=array([1.5, nan, nan, nan]), given=array([ True, False,  True, False]), bad=array([3]))
    """
    none = np.empty(0, int)
    try:                                        # a million cells in a tenth of a second
        return Numbers(np.array(list(map(float, cells)), float), np.ones(len(cells), bool), none)
    except (TypeError, ValueError, OverflowError):
        pass
    try:
        values = np.array([math.nan if c is None or c == "" else float(c) for c in cells], float)
        return Numbers(values, np.array([c is not None and c != "" for c in cells], bool), none)
    except (TypeError, ValueError, OverflowError):
        pass
    found = [number(cell, comma) for cell in cells]
    bad = np.array([i for i, value in enumerate(found) if value is BAD], int)
    given = np.array([value is not None and value is not BAD for value in found], bool)
    return Numbers(np.array([value if here else math.nan for value, here in zip(found, given)], float), given, bad)


BAD = object()


def number(cell, comma=False):
    """Return one cell as a float, None where it is empty, or BAD."""
    if cell is None:
        return None
    if isinstance(cell, (bool, dict, list)):
        return number(cell[0], comma) if isinstance(cell, list) and len(cell) == 1 else BAD
    if not isinstance(cell, str):
        try:
            return float(cell)
        except (TypeError, ValueError):
            return BAD
        except OverflowError:                   # an integer of more than 308 digits
            return math.inf if cell > 0 else -math.inf
    text = cell.strip()
    if text.lower() in EMPTY:
        return None
    wrapped = WRAPPED.match(text)
    if wrapped:
        text = wrapped[1]
    if comma and DECIMAL_COMMA.fullmatch(text):
        text = text.replace(",", ".")
    elif THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    try:
        return float(text)
    except ValueError:
        odd = MICROSOFT.fullmatch(text)
        return BAD if odd is None else float(odd[1] + ("inf" if odd[2].lower() == "inf" else "nan"))
