"""What the tests of the checks share."""


def one_line(capsys):
    """Return what was printed, which must be one line, and nothing beside it."""
    out, err = capsys.readouterr()
    assert err == ""
    assert out.endswith("\n")
    assert out.count("\n") == 1
    return out.rstrip("\n")
