"""Where the exercises of a notebook are found, whatever was done to it."""

import json

import pytest
from coursework import NAMES, SETUP, exercise, tutorial, write

from minigrad.check import EXERCISES
from minigrad.course.notebook import Cell, Unreadable, only_checks, plan, read

ANSWER = "def answer(*args):\n    return 3"


def planned(cells):
    """What is found in code cells, each a source or a pair of source and metadata: the tutorial, and a row per cell."""
    made = []
    for number, cell in enumerate(cells, 1):
        source, metadata = (cell, {}) if isinstance(cell, str) else cell
        grade_id = metadata.get("nbgrader", {}).get("grade_id", "")
        made.append(Cell(number, source, tuple(metadata.get("tags", ())), grade_id))
    return plan(made), [(cell.owner, " ".join(cell.marks), cell.runs) for cell in made]


LESSON = (None, "", True)


def test_a_notebook_as_it_was_given_out():
    found, rows = planned(tutorial(["x = 1"]))
    assert found == "00"
    assert rows == [LESSON, LESSON, *(row for name in NAMES for row in [(name, "", True), (name, name, False)])]


@pytest.mark.parametrize(("cells", "rows"), [
    # by source alone
    ([SETUP, ANSWER, "check.clip_norm(answer)"], [LESSON, ("clip_norm", "", True), ("clip_norm", "clip_norm", False)]),
    (["answer = f", "passed = check.clip_norm( answer )  # mine"], [("clip_norm", "", True),
                                                                   ("clip_norm", "clip_norm", False)]),
    (["from mine import f as answer", "# check.clip_norm(answer)"], [("clip_norm", "", True),
                                                                    ("clip_norm", "clip_norm", False)]),
    (["x = 1", "clip_norm(answer)"], [LESSON, ("clip_norm", "clip_norm", True)]),
    # what stands between an answer and its check belongs to it, what stands above it does not
    (["def half(a): return a / 2", ANSWER, "print(answer(1))", "check.clip_norm(answer)"],
     [LESSON, ("clip_norm", "", True), ("clip_norm", "", True), ("clip_norm", "clip_norm", False)]),
    # answer and check in one cell
    ([ANSWER + "\ncheck.clip_norm(answer)"], [("clip_norm", "clip_norm", True)]),
    # the check deleted, or edited; the answer deleted
    ([exercise("clip_norm")[0], "x = 1"], [("clip_norm", "clip_norm", True), LESSON]),
    ([exercise("clip_norm")[0], ("1", exercise("clip_norm")[1][1])], [("clip_norm", "", True),
                                                                     ("clip_norm", "clip_norm", False)]),
    ([exercise("clip_norm")[0], ("x += 1", exercise("clip_norm")[1][1])], [("clip_norm", "", True),
                                                                          ("clip_norm", "clip_norm", True)]),
    ([SETUP, exercise("clip_norm")[1]], [LESSON, ("clip_norm", "clip_norm", False)]),
    # what only looks like a check: a function of the lesson that has the name, a string
    (["def clip_norm(grads): return grads", "clip_norm(grads)", "check.unit_norm(answer)"],
     [LESSON, LESSON, ("unit_norm", "unit_norm", False)]),
    # several exercises in one cell: a cell is parted where ``answer`` is defined again behind a check, and only there
    ([f"x = 1\n{ANSWER}\ncheck.clip_norm(answer)\ny = 2\n@print\n{ANSWER}\nok = check.unit_norm(answer)\nz = 3"],
     [("clip_norm", "clip_norm", True), ("unit_norm", "unit_norm", True)]),
    ([f"{ANSWER}\nanswer = 1\ncheck.clip_norm(answer)\ncheck.unit_norm(answer)"],
     [("clip_norm", "clip_norm unit_norm", True)]),
    # no syntax
    ([ANSWER, "check.clip_norm(answer"], [("clip_norm", "", True), ("clip_norm", "clip_norm", True)]),
])
def test_exercises_are_found(cells, rows):
    assert planned(cells) == ("00", rows)


def test_without_an_exercise_there_is_no_tutorial():
    assert planned(["x = 1", "check.nothing_of_ours(answer)", "answer(3)"])[0] is None


def test_the_tutorial_is_that_of_most_exercises():
    others = [(number, names) for number, (_, names) in EXERCISES.items() if number != "00"]
    if not others:
        pytest.skip("there is one tutorial only")
    number, names = others[-1]
    cells = ["check.chain_factor(answer)", *(f"check.{name}(answer)" for name in names)]
    found, rows = planned(cells)
    assert found == number
    assert [row[1] for row in rows] == ["", *names]


@pytest.mark.parametrize(("source", "only"), [
    ("check.a(answer)", True), ("check.a(answer)\n\nok = check.b(answer)", True), ("", True), ("'ok'", True),
    ("1", True), ("answer = 1", True), ("print(1)", False), ("answer = f", False),
    ("%time check.a(answer)", False), ("(", False), ("def answer(): pass\ncheck.a(answer)", False), (1000 * "(", False),
])
def test_a_cell_that_only_checks_is_told_from_others(source, only):
    """A constant assigned to ``answer`` is no function, so nothing is lost."""
    assert only_checks(source) is only


def test_reading_takes_what_editors_write(tmp_path):
    path = tmp_path / "a.ipynb"
    cells = [{"cell_type": "markdown", "source": "text"}, {"cell_type": "code", "source": ["a = 1\n", "b = 2"]},
             {"cell_type": "code", "metadata": None}, {"cell_type": "raw", "source": ""},
             {"cell_type": "code", "source": "梯度 = 1", "metadata": {"tags": ["exercise"], "nbgrader": None}}]
    path.write_text("\ufeff" + json.dumps({"cells": cells}), encoding="utf-8")
    assert [(c.number, c.source, c.tags, c.grade_id) for c in read(path)] == [
        (2, "a = 1\nb = 2", (), ""), (3, "", (), ""), (5, "梯度 = 1", ("exercise",), "")]


def test_parts_of_a_cell_make_up_the_cell():
    source = f"# first\n{ANSWER}\ncheck.clip_norm(answer)\n\n@print\n{ANSWER}\ncheck.unit_norm(answer)\n# last"
    cells = [Cell(7, source, ("exercise",), "clip_norm-answer")]
    assert plan(cells) == "00"
    assert "".join(cell.source for cell in cells) == source
    assert cells[1].source.startswith("@print")
    assert [(cell.number, cell.tags, cell.grade_id) for cell in cells] == [
        (7, ("exercise",), "clip_norm-answer"), (7, (), "")]


@pytest.mark.parametrize(("source", "run"), [
    ("%pip install -q minigrad-lab ipywidgets", "pass"), ("!pip3 install a \\\n  b\nx = 1", "pass\nx = 1"),
    ("if x:\n    !{sys.executable} -m pip install a\ny", "if x:\n    pass\ny"), ("!uv pip uninstall a", "pass"),
    ("%conda install a", "pass"), ("x = 'pip install a'\n!ls", "x = 'pip install a'\n!ls"),
    ("!pip --version", "!pip --version"), ("x = 3 \\\n  % pip", "x = 3 \\\n  % pip"),
])
def test_nothing_is_installed(source, run, tmp_path):
    assert [cell.source for cell in read(write(tmp_path / "a.ipynb", [source]))] == [run]


def test_half_a_pair_of_surrogates_is_no_reason_to_stop(tmp_path):
    path = write(tmp_path / "a.ipynb", ["x"])
    path.write_text(path.read_text().replace('"x"', r'"a = \"\ud800\""'))
    assert [cell.source for cell in read(path)] == ['a = "?"']


@pytest.mark.parametrize(("content", "why"), [
    (b"", "does not hold JSON"), (b"\xff\xfe\0", "does not hold JSON"), (b"{", "does not hold JSON"),
    (b"[" * 100_000, "does not hold JSON"), (b"[]", "has no cells"), (b"3", "has no cells"), (b"{}", "has no cells"),
    (b'{"cells": {}}', "has no cells"), (b'{"worksheets": [{"cells": []}]}', "an old form"),
    (b'{"cells": [3]}', "cell 1 has no text"), (b'{"cells": [{"source": 3}]}', "cell 1 has no text"),
    (b'{"cells": [{"source": [1]}]}', "cell 1 has no text"),
])
def test_what_is_no_notebook_is_refused_by_name(content, why, tmp_path):
    path = tmp_path / "a.ipynb"
    path.write_bytes(content)
    with pytest.raises(Unreadable) as error:
        read(path)
    assert str(error.value).startswith(str(path))
    assert why in str(error.value)


def test_a_cell_is_shown_by_its_number_and_first_line(tmp_path):
    cells = read(write(tmp_path / "a.ipynb", ["\n  \n x = 1\ny = 2", "z" * 60, ""]))
    assert [str(cell) for cell in cells] == ["cell 1 (x = 1)", f"cell 2 ({'z' * 36} ...)", "cell 3 ()"]
