"""What the tests of the checks share."""

import re


def one_line(capsys):
    """Return what was printed, which must be one line, and nothing beside it."""
    out, err = capsys.readouterr()
    assert err == ""
    assert out.endswith("\n")
    assert out.count("\n") == 1
    return out.rstrip("\n")


def passes(exercise, answer, capsys):
    """A right answer gets its point, and a line that says how much was tried."""
    assert exercise(answer) == 1
    assert re.fullmatch(rf"{exercise.__name__}: passed, \d+ inputs tried\.", one_line(capsys))


def fails(exercise, answer, capsys, said, hint):
    """A wrong answer gets none, and a line that names this input or value, and this hint."""
    assert exercise(answer) == 0
    line = one_line(capsys)
    assert line.startswith(f"{exercise.__name__}: not yet right for ")
    assert said in line.split("Hint: ")[0]
    assert hint in line.split("Hint: ")[1]
