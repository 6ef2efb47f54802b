"""The tutorials run from top to bottom, show what they showed when committed, and are what their sources say."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from minigrad import check

nbformat = pytest.importorskip("nbformat")
jupytext = pytest.importorskip("jupytext")
pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

TUTORIALS = Path(__file__).resolve().parent.parent / "tutorials"
spec = importlib.util.spec_from_file_location("tutorials_build", TUTORIALS / "build.py")
builder = importlib.util.module_from_spec(spec)
spec.loader.exec_module(builder)

SOURCES = builder.sources()
EDITIONS = [(lang, solutions) for lang in ("en", "zh") for solutions in (False, True)]
each = pytest.mark.parametrize("source", SOURCES, ids=lambda s: s.stem)
each_edition = pytest.mark.parametrize(("lang", "solutions"), EDITIONS,
                                       ids=lambda v: v if isinstance(v, str) else ("learner", "solutions")[v])
both = pytest.mark.parametrize("solutions", [False, True], ids=["learner", "solutions"])
REBUILD = "rebuild: python tutorials/build.py"


def committed(source, lang="en", solutions=False):
    """One of the notebooks of a source, as it stands in its folder."""
    return nbformat.read(builder.place(source, lang, solutions), as_version=4)


def text(cell):
    """What a code cell printed, on both streams."""
    return "".join(o.text for o in cell.get("outputs", []) if o.output_type == "stream")


def kinds(cell):
    """What else it put out: the kinds of its displays."""
    return [sorted(o.get("data", {"error": ""})) for o in cell.get("outputs", []) if o.output_type != "stream"]


def code(notebook):
    """The sources of the code cells."""
    return [c.source for c in notebook.cells if c.cell_type == "code"]


def tagged(notebook, tag):
    """The cells that bear a tag."""
    return [c for c in notebook.cells if tag in c.metadata.get("tags", [])]


NUMBER = re.compile(r"-?\d+(?:\.\d*)?(?:e[+-]?\d+)?")


def alike(now, then):
    """Whether two texts are the same but for one unit in the last digit of numbers with a point or an exponent.

    Another processor sums in another order, and a number that lies between two roundings comes out as its neighbour.
    What is counted is a whole number, and must be the same.
    """
    def near(a, b):
        return a == b or (set("e.") & set(a) and abs(float(a) - float(b)) <= 1.001 * max(unit(a), unit(b)))

    numbers = [NUMBER.findall(t) for t in (now, then)]
    return (NUMBER.sub("#", now).split() == NUMBER.sub("#", then).split() and len(numbers[0]) == len(numbers[1])
            and all(map(near, *numbers)))


def unit(number):
    """One in the last digit that a number is written with."""
    mantissa, _, exponent = number.partition("e")
    return 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))


def results(notebook):
    """What the checks printed and gave, one by one."""
    return [(text(c), [o.data["text/plain"] for o in c.outputs if o.output_type == "execute_result"])
            for c in tagged(notebook, "check")]


@pytest.mark.parametrize(("now", "then", "same"), [
    ("loss 0.57, 3 of 4", "loss 0.57, 3 of 4", True), ("loss 0.57", "loss 0.58", True),
    ("loss 0.57", "loss 0.59", False),
    ("9e-04", "1e-03", True), ("4e+02", "6e+02", False), ("3 of 4", "2 of 4", False), ("yes 0.5", "no 0.5", False),
    ("a   0.9", "a 1.0", True), ("-0.1", "0.1", False), ("0.1 0.2", "0.1", False), ("1.25e-3", "1.26e-3", True),
])
def test_what_counts_as_the_same_output(now, then, same):
    assert bool(alike(now, then)) is same


# ------------------------------------------------------------------------------------- run

@each
@both
def test_it_runs_and_the_committed_outputs_are_fresh(source, solutions):
    """Each runs once, in a kernel of its own; that a cell raises fails the test."""
    fresh, kept = builder.execute(builder.read(source, "en", solutions)), committed(source, "en", solutions)
    for now, then in zip(fresh.cells, kept.cells, strict=True):
        assert alike(text(now), text(then)), f"{REBUILD}\n{text(now)}\ninstead of\n{text(then)}"
    assert [kinds(c) for c in fresh.cells] == [kinds(c) for c in kept.cells], REBUILD
    assert not any(o.get("name") == "stderr" for c in fresh.cells for o in c.get("outputs", []))
    again = nbformat.reads(nbformat.writes(fresh), as_version=4)
    assert [(c.id, c.metadata) for c in again.cells] == [(c.id, c.metadata) for c in kept.cells]


@each
def test_a_learner_who_has_done_nothing_is_told_so_and_the_solutions_pass(source):
    """Of what is committed; that it is fresh is the test above."""
    names = check.EXERCISES[source.stem[:2]][1]
    untouched, solved = results(committed(source)), results(committed(source, solutions=True))
    assert len(untouched) == len(solved) == len(names) == 3
    for name, (line, value) in zip(names, untouched, strict=True):
        assert re.fullmatch(rf"{name}: not written yet\. .*\n", line)
        assert value == ["0"]
    for name, (line, value) in zip(names, solved, strict=True):
        assert re.fullmatch(rf"{name}: passed, \d+ inputs? tried\.\n", line)
        assert value == ["1"]


# ------------------------------------------------------------------------- source and editions

def test_every_tutorial_of_the_course_is_there_and_its_exercises_are_in_the_table():
    assert [s.stem[:2] for s in SOURCES] == [f"{n:02d}" for n in range(15)] == list(check.EXERCISES)
    assert [s.stem[3:] for s in SOURCES] == [page for page, _ in check.EXERCISES.values()]
    wanted = {builder.place(s, lang, solutions) for s in SOURCES for lang, solutions in EDITIONS}
    assert set(TUTORIALS.rglob("[0-9][0-9]_*.ipynb")) == wanted


@each
@each_edition
def test_source_and_notebook_are_in_step(source, lang, solutions):
    def content(notebook):
        return [(c.cell_type, c.source, c.metadata) for c in notebook.cells]

    assert content(builder.read(source, lang, solutions)) == content(committed(source, lang, solutions)), REBUILD


@each
@both
def test_the_editions_share_their_code_their_outputs_and_their_figures(source, solutions):
    english, chinese = committed(source, "en", solutions), committed(source, "zh", solutions)
    assert code(english) == code(chinese)
    assert [c.outputs for c in english.cells if c.cell_type == "code"] == \
           [c.outputs for c in chinese.cells if c.cell_type == "code"]
    assert [c.cell_type for c in english.cells] == [c.cell_type for c in chinese.cells]
    assert [c.metadata.get("slideshow") for c in english.cells] == [c.metadata.get("slideshow") for c in chinese.cells]


@each
def test_a_text_and_its_partner_show_the_same_formulas_and_names(source):
    """Formulas but for words in them, and what stands in backquotes, are the same; no heading or item is left out."""
    def shape(cell):
        prose = re.sub(r"^ {4}.*$", "", cell.source, flags=re.MULTILINE)
        formulas = re.sub(r"\\text\{[^}]*\}", "", cell.source)
        return (sorted(re.findall(r"\$\$.+?\$\$", formulas, re.DOTALL)), sorted(re.findall(r"`[^`\n]+`", prose)),
                len(re.findall(r"^#+ ", prose, re.MULTILINE)), len(re.findall(r"^\* ", prose, re.MULTILINE)),
                re.findall(r"^ {4}.*$", cell.source, re.MULTILINE))

    texts = [c for c in jupytext.read(source).cells if c.cell_type == "markdown"]
    for english, chinese in zip(texts[::2], texts[1::2], strict=True):
        assert (english.metadata["lang"], chinese.metadata["lang"]) == ("en", "zh")
        assert shape(english) == shape(chinese), english.source[:60]
        assert re.search(r"[\u4e00-\u9fff]", chinese.source)
        assert not re.search(r"[\u4e00-\u9fff]", english.source)


@each
def test_without_its_solutions_a_notebook_is_the_learners(source):
    """The exercises of the solutions, emptied, are the learner's; the checks are the same; no mark is left over."""
    solved, learners = committed(source, solutions=True), committed(source)
    emptied = [builder.MARKED.sub(r"\1raise NotImplementedError", c.source) for c in tagged(solved, "exercise")]
    assert emptied == [c.source for c in tagged(learners, "exercise")]
    assert [c.source for c in tagged(solved, "check")] == [c.source for c in tagged(learners, "check")]
    assert not any("SOLUTION" in c.source or "solution" in c.metadata.get("tags", []) for c in learners.cells)


# ------------------------------------------------------------------------- what a notebook must be

@each
@each_edition
def test_the_notebook_is_clean(source, lang, solutions):
    path, notebook = builder.place(source, lang, solutions), committed(source, lang, solutions)
    nbformat.validate(notebook)
    assert path.stat().st_size < 300_000
    assert len(notebook.cells) <= 25
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert "version" not in notebook.metadata.language_info
    assert [c.id for c in notebook.cells] == [f"cell-{i:02d}" for i in range(len(notebook.cells))]
    assert all(set(c.metadata) <= {"lang", "slideshow", "tags", "nbgrader"} for c in notebook.cells)
    assert all(c.metadata.lang == lang for c in notebook.cells if c.cell_type == "markdown")
    counts = [c.execution_count for c in notebook.cells if c.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    for cell in notebook.cells:
        displays = [o for o in cell.get("outputs", []) if o.output_type != "stream"]
        shown = cell.source + text(cell) + "".join(str(o.data.get("text/plain", "")) for o in displays)
        assert not re.search(r"(?<![\w.:/])/(home|Users|root|tmp|work|var|usr|opt|mnt)/|[A-Z]:\\", shown), shown


@each
@both
def test_code_fits_the_width_of_a_page(source, solutions):
    """A rendered page cuts what is longer; the other edition has the same code."""
    lines = [line for cell in code(committed(source, "en", solutions)) for line in cell.splitlines()]
    long = [line for line in lines if len(line) > 100]
    assert not long, "longer than 100 characters:\n" + "\n".join(long)


@each
@each_edition
def test_it_begins_with_one_line_that_installs(source, lang, solutions):
    first = committed(source, lang, solutions).cells[0]
    assert first.cell_type == "markdown"
    assert re.match(rf"# {source.stem[:2]} · \S", first.source)
    assert first.source.count('python -m pip install -e ".[notebook]"') == 1


@each
def test_it_has_a_goal_a_key_figure_and_its_reading(source):
    for lang, goal, reading in (("en", "**Goal: ", "**What to see.**"), ("zh", "**目标：", "**看什么。**")):
        notebook = committed(source, lang)
        assert goal in notebook.cells[0].source
        readings = [i for i, c in enumerate(notebook.cells) if c.source.startswith(reading)]
        assert readings
        for i in readings:
            assert any("image/png" in kind for kind in kinds(notebook.cells[i - 1])), "no figure above"


@each
def test_it_imports_only_what_an_installation_has(source):
    modules = set(re.findall(r"^(?:import|from) ([\w.]+)", "\n".join(code(committed(source))), re.MULTILINE))
    own = {m for m in modules if m.partition(".")[0] == "minigrad"}
    assert {m.partition(".")[0] for m in modules} - set(sys.stdlib_module_names) <= {"minigrad", "numpy", "matplotlib"}
    assert not [m for m in own if "._" in m]


# ----------------------------------------------------------------------------------- a lecture

@each
def test_a_lecture_has_its_slides(source):
    slides = [c.metadata.get("slideshow", {}).get("slide_type") for c in committed(source).cells]
    assert slides[0] == "slide"
    assert slides.count("slide") >= 3
    assert set(slides) <= {None, "slide", "subslide", "fragment", "notes", "skip"}


@each
def test_nbconvert_makes_slides_of_the_tags(source):
    notebook = committed(source)
    page, _ = pytest.importorskip("nbconvert").SlidesExporter().from_notebook_node(notebook)
    check_slides(page, notebook)


def test_the_documented_command_makes_slides(tmp_path):
    pytest.importorskip("nbconvert")
    path = builder.place(SOURCES[5], "zh")
    page = (TUTORIALS / "README.md").read_text(encoding="utf-8")
    documented = re.search(r"jupyter nbconvert (--to slides .*) --post serve", page)[1]
    command = [sys.executable, "-m", "nbconvert", *documented.split(), "--output-dir", str(tmp_path), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    check_slides((tmp_path / f"{path.stem}.slides.html").read_text(encoding="utf-8"), committed(SOURCES[5], "zh"))


def check_slides(page, notebook):
    """There is a column for each slide, a page in it for it and each subslide, and every figure is there."""
    types = [c.metadata.get("slideshow", {}).get("slide_type") for c in notebook.cells]
    assert len(re.findall("<section", page)) == 2 * types.count("slide") + types.count("subslide")
    figures = sum("image/png" in kind for cell in notebook.cells for kind in kinds(cell))
    assert len(re.findall(r'<img [^>]*src="data:image/png;base64,', page)) == figures


@each
@both
def test_exercises_bear_nbgraders_marks(source, solutions):
    """As nbgrader 0.9 writes them: an answer that is filled in, and below it a cell whose number is its points."""
    notebook, names = committed(source, "en", solutions), check.EXERCISES[source.stem[:2]][1]
    marks = [dict(cell.metadata.nbgrader) for cell in notebook.cells if "nbgrader" in cell.metadata]
    both_kinds = {"schema_version": 3, "task": False}
    assert marks == [{**both_kinds, **mark} for name in names for mark in (
        {"grade_id": f"{name}-answer", "grade": False, "locked": False, "solution": True},
        {"grade_id": name, "grade": True, "locked": True, "points": 1, "solution": False})]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+", mark["grade_id"]) for mark in marks)


# ----------------------------------------------------------------------------- refused sources

EXERCISE = """# %% tags=["exercise"]
def answer(x):
    ### BEGIN SOLUTION
    return x
    ### END SOLUTION
"""


@pytest.mark.parametrize(("cells", "said"), [
    ('# %% [markdown] lang="en"\n# # 99 · T\n', "needs its Chinese partner"),
    ('# %% [markdown] lang="en"\n# # 99 · T\n# %%\n1\n', "needs its Chinese partner"),
    ('# %% [markdown] lang="zh"\n# # 99 · T\n', "must follow the English one"),
    ('# %% [markdown]\n# # 99 · T\n', "must follow the English one"),
    ('# %% tags=["exercise"]\ndef answer(x):\n    return x\n', "one pair of solution marks"),
    ('# %% tags=["exercise"]\ndef solve(x):\n    ### BEGIN SOLUTION\n    return x\n    ### END SOLUTION\n',
     "one pair of solution marks"),
    ('# %% tags=["check"]\ncheck.chain_factor(answer)\n', "below its exercise"),
    (f'{EXERCISE}# %% tags=["check"]\nok = check.chain_factor(answer)\n', "below its exercise"),
])
def test_a_source_that_does_not_keep_to_the_form_is_refused(cells, said, tmp_path):
    source = tmp_path / "99_test.py"
    source.write_text(cells, encoding="utf-8")
    with pytest.raises(builder.SourceError, match=said):
        builder.read(source)


def test_solutions_need_to_know_where_the_exercises_begin(tmp_path):
    source = tmp_path / "99_test.py"
    source.write_text('# %% [markdown] lang="en"\n# # 99\n# %% [markdown] lang="zh"\n# # 题\n', encoding="utf-8")
    with pytest.raises(builder.SourceError, match="## Your turn"):
        builder.read(source, solutions=True)
