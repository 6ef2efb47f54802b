"""All works, in the order of the table."""

from benchmarks import conv, course, depth, double, fused, memory, mlp, rnn, scalar, starting, update

PAGES = (mlp, rnn, fused, scalar, double, conv, update, course, memory, depth, starting)
WORKS = {work.name: work for page in PAGES for work in page.WORKS}


def chosen(beginnings=None):
    """Return the works whose names begin with one of these (all if none is given), in the order of the table.

    Raises:
        ValueError: naming a beginning that fits no work.
    """
    if not beginnings:
        return list(WORKS.values())
    for beginning in beginnings:
        if not any(name.startswith(beginning) for name in WORKS):
            raise ValueError(f"no work's name begins with {beginning!r}; `python -m benchmarks --list` names them all")
    return [work for name, work in WORKS.items() if name.startswith(tuple(beginnings))]
