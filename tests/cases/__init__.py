"""THE TABLE of cases: every rule of the library, each line one call; a page per family, as in ``minigrad/rules/``.

``CASES``: a line is the function as it stands in the table of rules, its arguments, what NumPy says the value is and
what PyTorch calls it.  Floating arrays among the arguments are differentiated; everything else is handed over as it is.
A new rule needs a line here, and gets all the properties of ``test_rules.py`` for it.

``EMPTY``: calls with arrays of no elements.  ``POINTS``: kinks, ties and far points, where something is decided: name,
function, arguments, value, and the gradient of the sum for each argument.  ``FLAT``: how many arguments a function
without a slope takes, where it is not one (of a ufunc NumPy knows it).
"""

from cases import conv, decompositions, elementwise, indexing, linalg, nn, recurrent, reduce, shape

PAGES = (elementwise, reduce, shape, indexing, linalg, decompositions, nn, conv, recurrent)
CASES = [case for page in PAGES for case in page.CASES]
EMPTY = [case for page in PAGES for case in page.EMPTY]
POINTS = [point for page in PAGES for point in page.POINTS]
FLAT = {fn: count for page in PAGES for fn, count in getattr(page, "FLAT", {}).items()}
