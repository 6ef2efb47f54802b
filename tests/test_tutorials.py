"""The tutorials run from top to bottom, show what they showed when they were committed, and their checks can tell."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

from minigrad import check
from minigrad.norms import norm

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("jupytext")
pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

TUTORIALS = Path(__file__).resolve().parent.parent / "tutorials"
spec = importlib.util.spec_from_file_location("tutorials_build", TUTORIALS / "build.py")
builder = importlib.util.module_from_spec(spec)
spec.loader.exec_module(builder)

SOURCES = builder.sources()
LEARNERS = [s for s in SOURCES if s.parent == TUTORIALS]
each = pytest.mark.parametrize("source", SOURCES, ids=lambda s: s.relative_to(TUTORIALS).as_posix())
each_learners = pytest.mark.parametrize("source", LEARNERS, ids=lambda s: s.name)


def committed(source):
    """The notebook that stands beside a source."""
    return nbformat.read(source.with_suffix(".ipynb"), as_version=4)


def text(cell):
    """What a code cell printed, on both streams."""
    return "".join(o.text for o in cell.get("outputs", []) if o.output_type == "stream")


def kinds(cell):
    """What else it put out: the kinds of its displays."""
    return [sorted(o.data) for o in cell.get("outputs", []) if o.output_type != "stream"]


def tagged(notebook, tag):
    """The cells that bear a tag."""
    return [c for c in notebook.cells if tag in c.metadata.get("tags", [])]


@pytest.fixture(scope="module")
def ran():
    """Run each notebook once, in a kernel of its own, when it is first asked for."""
    done = {}

    def run(source):
        if source not in done:
            done[source] = builder.execute(builder.read(source))      # raises if a cell does
        return done[source]
    return run


def test_there_are_tutorials_and_each_has_solutions():
    assert LEARNERS
    assert [s.name for s in SOURCES if s.parent != TUTORIALS] == [s.name for s in LEARNERS]


# ------------------------------------------------------------------------------------- run

@each
def test_it_runs_and_the_committed_outputs_are_fresh(source, ran):
    fresh, kept = ran(source), committed(source)
    assert [text(c) for c in fresh.cells] == [text(c) for c in kept.cells], "rebuild: python tutorials/build.py"
    assert [kinds(c) for c in fresh.cells] == [kinds(c) for c in kept.cells]
    assert not any(o.get("name") == "stderr" for c in fresh.cells for o in c.get("outputs", []))


@each_learners
def test_a_learner_who_has_done_nothing_is_told_so(source, ran):
    cells = tagged(ran(source), "check")
    assert len(cells) == 3
    for cell in cells:
        assert re.fullmatch(r"\w+: not written yet\. .*\n", text(cell)), text(cell)


@each_learners
def test_the_solutions_pass(source, ran):
    cells = tagged(ran(TUTORIALS / "solutions" / source.name), "check")
    assert len(cells) == 3
    for cell in cells:
        assert re.fullmatch(r"\w+: passed, \d+ inputs tried\.\n", text(cell)), text(cell)


@each_learners
def test_there_is_a_key_figure(source, ran):
    for notebook in (ran(source), committed(source)):
        assert any("image/png" in kind for c in notebook.cells for kind in kinds(c))


# ------------------------------------------------------------------------- source and notebook

@each
def test_source_and_notebook_are_in_step(source):
    def content(notebook):
        return [(c.cell_type, c.source, c.metadata) for c in notebook.cells]

    assert content(builder.read(source)) == content(committed(source)), "rebuild: python tutorials/build.py"


@each
def test_the_notebook_is_clean(source):
    path, notebook = source.with_suffix(".ipynb"), committed(source)
    nbformat.validate(notebook)
    assert path.stat().st_size < 300_000
    assert len(notebook.cells) <= 25
    assert notebook.metadata.kernelspec.name == "python3"
    assert "version" not in notebook.metadata.language_info
    assert [c.id for c in notebook.cells] == [f"cell-{i:02d}" for i in range(len(notebook.cells))]
    assert all(set(c.metadata) <= {"lang", "slideshow", "tags"} for c in notebook.cells)
    counts = [c.execution_count for c in notebook.cells if c.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    for cell in notebook.cells:
        shown = cell.source + text(cell) + "".join(str(o.data.get("text/plain", "")) for o in cell.get("outputs", [])
                                                   if o.output_type != "stream")
        assert not re.search(r"(?<![\w.:/])/(home|Users|root|tmp|work|var|usr|opt|mnt)/|[A-Z]:\\", shown), shown


@each
def test_it_begins_with_one_line_that_installs(source):
    first = committed(source).cells[0]
    assert first.cell_type == "markdown"
    assert first.source.count('python -m pip install -e ".[notebook]"') == 1


@each
def test_a_lecture_has_its_slides(source):
    slides = [c.metadata.get("slideshow", {}).get("slide_type") for c in committed(source).cells]
    assert slides[0] == "slide"
    assert slides.count("slide") >= 3
    assert set(slides) <= {None, "slide", "subslide", "fragment", "notes", "skip"}


@each
def test_every_text_cell_says_its_language(source):
    assert all(c.metadata.get("lang") == "en" for c in committed(source).cells if c.cell_type == "markdown")


@each_learners
def test_solutions_answer_the_exercises_as_they_are_set(source):
    """Without what stands between the marks, a solution is the learner's cell, and the checks are the same."""
    ours, theirs = builder.read(TUTORIALS / "solutions" / source.name), builder.read(source)
    marked = re.compile(r"^( *)### BEGIN SOLUTION\n.*?^ *### END SOLUTION$", re.DOTALL | re.MULTILINE)
    emptied = [marked.sub(r"\1raise NotImplementedError", c.source) for c in tagged(ours, "exercise")]
    assert emptied == [c.source for c in tagged(theirs, "exercise")]
    assert [c.source for c in tagged(ours, "check")] == [c.source for c in tagged(theirs, "check")]
    assert not any("SOLUTION" in c.source for c in theirs.cells)


def test_building_twice_gives_the_same_metadata(ran):
    source = SOURCES[-1]
    again = nbformat.reads(nbformat.writes(ran(source)), as_version=4)
    kept = committed(source)
    assert again.metadata == kept.metadata
    assert [(c.id, c.metadata) for c in again.cells] == [(c.id, c.metadata) for c in kept.cells]


# --------------------------------------------------------------------------- the checks themselves

def loop_power(w, T):
    out = 1.0
    for _ in range(T):
        out = out * w
    return out


def clip(grads, max_norm):
    length = np.sqrt(sum((g * g).sum() for g in grads))
    return [g * min(1.0, max_norm / max(length, 1e-300)) for g in grads]


def clip_as_torch(grads, max_norm):
    length = np.linalg.norm(np.concatenate([g.ravel() for g in grads]))
    return [g * min(1.0, max_norm / (length + 1e-9)) for g in grads]


def unit(grads, ctx):
    return {name: g / ctx.norm if ctx.norm else g for name, g in grads.items()}


def unit_in_two_steps(grads, ctx):
    largest = max(np.abs(g).max() for g in grads.values()) or 1.0
    length = np.sqrt(sum(((g / largest) ** 2).sum() for g in grads.values())) or 1.0
    return {name: g / largest / length for name, g in grads.items()}


def one_line(capsys):
    out, err = capsys.readouterr()
    assert err == ""
    assert out.endswith("\n")
    assert out.count("\n") == 1
    return out.rstrip("\n")


@pytest.mark.parametrize(("exercise", "answer"), [
    (check.chain_factor, lambda w, T: w ** T), (check.chain_factor, loop_power),
    (check.chain_factor, lambda w, T: np.prod(np.full(T, w))),
    (check.clip_norm, clip), (check.clip_norm, clip_as_torch),
    (check.unit_norm, unit), (check.unit_norm, unit_in_two_steps),
])
def test_right_answers_pass(exercise, answer, capsys):
    assert exercise(answer) is True
    assert re.fullmatch(rf"{exercise.__name__}: passed, \d+ inputs tried\.", one_line(capsys))


def in_place(grads, max_norm):
    for g in grads:
        g *= 0.5
    return grads


WRONG = [
    # the exercise, a wrong answer, the smallest input that shows it, what is expected there, and part of the hint
    (check.chain_factor, lambda w, T: w * T, "w = 1.5, T = 0", "1", "no step"),
    (check.chain_factor, lambda w, T: w ** (T + 1), "w = 1.5, T = 0", "1", "no step"),
    (check.chain_factor, lambda w, T: abs(w) ** T, "w = -2, T = 1", "-2", "once more"),
    (check.chain_factor, lambda w, T: 1 + T * (w - 1), "w = 1.5, T = 2", "2.25", "once more"),
    (check.chain_factor, lambda w, T: T * w ** (T - 1) if w else 0.0, "w = 1.5, T = 0", "1", "no step"),
    (check.clip_norm, lambda grads, c: grads, "grads = [[3, 4]], max_norm = 1", "[[0.6, 0.8]]", "should be 1"),
    (check.clip_norm, lambda grads, c: [np.clip(g, -c, c) for g in grads], "grads = [[3, 4]], max_norm = 1",
     "[[0.6, 0.8]]", "direction"),
    (check.clip_norm, lambda grads, c: [clip([g], c)[0] for g in grads], "grads = [[3], [4]], max_norm = 2.5",
     "[[1.5], [2]]", "direction"),
    (check.clip_norm, lambda grads, c: [g * c / np.sqrt(sum((a * a).sum() for a in grads)) for g in grads],
     "grads = [[0.5]], max_norm = 1", "[[0.5]]", "leave the gradient alone"),
    (check.clip_norm, lambda grads, c: [g / norm(grads) * min(norm(grads), c) for g in grads],
     "grads = [[0, 0]], max_norm = 1", "[[0, 0]]", "0 / 0"),
    (check.clip_norm, lambda grads, c: clip(grads, c)[0], "grads = [[0.5]], max_norm = 1", "[[0.5]]",
     "one array for each"),
    (check.unit_norm, lambda grads, ctx: grads, "grads = {'w': [2]}", "{'w': [1]}", "should be 1"),
    (check.unit_norm, lambda grads, ctx: {k: g / max(ctx.norm, 1) for k, g in grads.items()}, "grads = {'w': [0.5]}",
     "{'w': [1]}", "should be 1"),
    (check.unit_norm, lambda grads, ctx: {k: np.sign(g) for k, g in grads.items()}, "grads = {'w': [3, 4]}",
     "{'w': [0.6, 0.8]}", "direction"),
    (check.unit_norm, lambda grads, ctx: {k: g / ctx.norm for k, g in grads.items()}, "grads = {'w': [0, 0]}",
     "{'w': [0, 0]}", "zeros"),
    (check.unit_norm, lambda grads, ctx: {k: g / (np.sqrt((g * g).sum()) or 1) for k, g in grads.items()},
     "grads = {'a': [3], 'b': [4]}", "{'a': [0.6], 'b': [0.8]}", "direction"),
    (check.unit_norm, lambda grads, ctx: {k: g / (np.sqrt(sum((a * a).sum() for a in grads.values())) or 1)
                                          for k, g in grads.items()},
     "grads = {'w': [3e-200, 4e-200]}", "{'w': [0.6, 0.8]}", "ctx.norm"),
]


@pytest.mark.parametrize(("exercise", "answer", "shown", "expected", "hint"), WRONG)
def test_wrong_answers_fail_on_the_smallest_input(exercise, answer, shown, expected, hint, capsys):
    assert exercise(answer) is False
    line = one_line(capsys)
    assert line.startswith(f"{exercise.__name__}: not yet right for {shown}: expected {expected}, received ")
    assert hint in line.split("Hint: ")[1]


@pytest.mark.parametrize(("exercise", "answer", "received", "hint"), [
    (check.chain_factor, lambda w, T: 1 / 0, "ZeroDivisionError: division by zero", "error"),
    (check.chain_factor, lambda w: w, "TypeError: ", "error"),
    (check.chain_factor, lambda w, T: None, "None", "return"),
    (check.chain_factor, lambda w, T: "many", "many", "kind of value"),
    (check.clip_norm, in_place, "ValueError: ", "do not change the arrays"),
    (check.clip_norm, lambda grads, c: 3, "3", "kind of value"),
    (check.unit_norm, lambda grads, ctx: None, "TypeError: hook <lambda> returned NoneType", "error"),
    (check.unit_norm, lambda grads, ctx: {}, "ValueError: ", "error"),
    (check.unit_norm, lambda grads, ctx: [][1], "IndexError: list index out of range", "error"),
])
def test_errors_and_odd_values_are_part_of_the_line(exercise, answer, received, hint, capsys):
    assert exercise(answer) is False
    line = one_line(capsys)
    assert f", received {received}" in line
    assert hint in line.split("Hint: ")[1]


@pytest.mark.parametrize("exercise", [check.chain_factor, check.clip_norm, check.unit_norm])
def test_what_is_not_written_yet_is_no_error(exercise, capsys):
    def answer(*args):
        raise NotImplementedError

    assert exercise(answer) is False
    assert one_line(capsys).startswith(f"{exercise.__name__}: not written yet. ")


def test_a_long_value_or_message_stays_one_short_line(capsys):
    def answer(w, T):
        raise ValueError("first line\nsecond line " + 500 * "x")

    check.chain_factor(answer)
    assert len(one_line(capsys)) < 400


def test_ctrl_c_is_not_swallowed():
    def answer(w, T):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check.chain_factor(answer)


def test_examine_stops_at_the_first_failure_and_counts(capsys):
    seen = []
    cases = [check.Case(f"x = {x}", (x,), x, lambda got, x=x: "" if got == x else "no") for x in range(5)]
    assert check.examine("identity", lambda x: seen.append(x) or min(x, 2), cases) is False
    assert seen == [0, 1, 2, 3]
    assert one_line(capsys) == "identity: not yet right for x = 3: expected 3, received 2. Hint: no."
    assert check.examine("identity", lambda x: x, cases) is True
    assert one_line(capsys) == "identity: passed, 5 inputs tried."


def test_an_answer_gets_copies_that_it_cannot_write():
    array = np.ones(2)
    given = check.frozen(([array], {"w": array}))
    assert not given[0][0].flags.writeable
    assert not given[1]["w"].flags.writeable
    assert array.flags.writeable
