"""A learner's notebook is marked exercise by exercise: whatever goes wrong in one costs that one."""

import os
import tempfile
import time

import pytest
from coursework import EMPTY, NAMES, RIGHT, SETUP, exercise, one_kernel, shared, small, tutorial, write  # noqa: F401

from minigrad.course import marking
from minigrad.course.inside import LONGEST, Tail
from minigrad.course.kernel import KernelError
from minigrad.course.marking import mark, one_line

SHORT = 1.5
LONG = 30
"""Time limits for what is to be stopped, and for what is not, on a machine that others use, too."""


def statuses(marks):
    return [result.status for result in marks.exercises]


# ------------------------------------------------------------------- in a kernel that survives

CLIP = "def answer(grads, max_norm):\n    "

CULPRITS = [
    # what the second exercise's cell holds, seconds per cell, its status, and part of its line
    ("nothing", EMPTY, LONG, "not written", "clip_norm: not written yet. "),
    ("an empty cell", "", LONG, "missing", "No cell above its check defines `answer`"),
    ("the answer deleted", RIGHT["clip_norm"] + "\ndel answer", LONG, "missing", "missing"),
    ("a wrong answer", CLIP + "return grads", LONG, "wrong", "not yet right for grads = [[3, 4]], max_norm = 1: exp"),
    ("no syntax", "def answer(grads max_norm):\n    return", LONG, "error", "SyntaxError: invalid syntax (line 1)"),
    ("an error in the cell", "1 / 0\n" + RIGHT["clip_norm"], LONG, "error", "raises ZeroDivisionError: division by"),
    ("an error in the answer", CLIP + "return 1 / 0", LONG, "wrong", "received ZeroDivisionError: division by zero"),
    ("an error that cannot be shown", "class E(Exception):\n    def __str__(self): raise ValueError\n" + CLIP +
     "raise E", LONG, "error", "ended in ValueError"),
    ("an error of its own kind", "class E(BaseException): pass\n" + CLIP + "raise E('x' * 10**6)", LONG, "error",
     "ended in E: xxx"),
    ("infinite recursion", CLIP + "return answer(grads, max_norm)", LONG, "wrong", "received RecursionError: max"),
    ("sys.exit in the cell", "import sys\nsys.exit(0)", LONG, "error", "it raises SystemExit: 0"),
    ("sys.exit in the answer", "import sys\n" + CLIP + "sys.exit(3)", LONG, "error", "ended in SystemExit: 3"),
    ("quit in the cell", "quit()", LONG, "error", "it raises SystemExit"),
    ("quit in the answer", CLIP + "quit()", LONG, "error", "ended in SystemExit"),
    ("input", CLIP + "return input()", LONG, "wrong", "not yet right"),
    ("a read from the terminal", "import sys\nsys.stdin.read()", LONG, "missing", "missing"),
    ("too much memory", CLIP + "return [np.ones(10**10)]", LONG, "wrong", "received MemoryError"),
    ("an endless loop in the cell", "while True: pass", SHORT, "time", "(while True: pass): stopped after 1.5 s"),
    ("an endless loop in the answer", CLIP + "while True: pass", SHORT, "time", "was tried, and stopped after 1.5 s"),
    ("output without end", CLIP + "while True: print('clip_norm: passed, 9 inputs tried.\\n' * 99)", SHORT, "time",
     "stopped"),
    ("an object for an answer", "answer = 3", LONG, "wrong", "TypeError: 'int' object is not callable"),
    ("another's names taken away", "check = print = np = None", LONG, "missing", "missing"),
    ("everything taken away", "%reset -f", LONG, "missing", "missing"),
]


@pytest.mark.parametrize(("source", "timeout", "status", "line"), [pytest.param(*c[1:], id=c[0]) for c in CULPRITS])
@pytest.mark.usefixtures("shared")
def test_it_costs_only_that_exercise(source, timeout, status, line, tmp_path):
    marks = mark(write(tmp_path / "a.ipynb", tutorial(clip_norm=source)), timeout=timeout)
    assert statuses(marks) == ["passed", status, "passed"]
    assert line in marks.exercises[1].line
    for result, name in zip(marks.exercises, NAMES):
        assert result.name == name
        assert result.line.startswith(f"{name}: ")
        assert len(result.line.splitlines()) == 1
        assert len(result.line) < 500
    assert marks.points == 2


FORGED = [
    # what stands in the cells of the first exercise, whose answer is wrong or missing
    ("the check is a number", [("def answer(w, T):\n    return 3", "exercise"), ("1", "check")], "wrong"),
    ("the check checks another function", [(EMPTY, "exercise"),
                                           ("check.chain_factor(lambda w, T: w ** T)", "check")], "not written"),
    ("what a check prints is printed", [("def answer(w, T):\n    print('chain_factor: passed, 30 inputs tried.')\n"
                                         "    return 3", "exercise"),
                                        ("check.chain_factor(answer)", "check")], "wrong"),
    ("the check is replaced", [("check.chain_factor = lambda answer: 1\ndef answer(w, T):\n    return 3", "exercise"),
                               ("check.chain_factor(answer)", "check")], "wrong"),
    ("another check is called check", [("class check:\n    chain_factor = print\ndef answer(w, T):\n    return 3",
                                        "exercise"), ("check.chain_factor(answer)", "check")], "wrong"),
]


@pytest.mark.parametrize(("cells", "status"), [pytest.param(*c[1:], id=c[0]) for c in FORGED])
@pytest.mark.usefixtures("shared")
def test_a_point_is_given_by_our_check_and_nothing_else(cells, status, tmp_path):
    ours = [(source, {"tags": [tag], "nbgrader": {"grade_id": f"chain_factor{'-answer' * (tag == 'exercise')}"}})
            for source, tag in cells]
    rest = [cell for name in NAMES[1:] for cell in exercise(name)]
    assert statuses(mark(write(tmp_path / "a.ipynb", [SETUP, *ours, *rest]))) == [status, "passed", "passed"]


@pytest.mark.usefixtures("shared")
def test_an_answer_is_not_taken_for_the_next_exercise(tmp_path):
    """Else a hook that does nothing would pass as the answer to the next exercise that asks for nothing."""
    cells = [SETUP, *exercise("clip_norm"), "check.chain_factor(answer)", "check.clip_norm(answer)",
             exercise("unit_norm")[1]]
    assert statuses(mark(write(tmp_path / "a.ipynb", cells))) == ["missing", "passed", "missing"]


@pytest.mark.usefixtures("shared")
def test_marks_and_metadata_may_be_lost(tmp_path):
    cells = [cell if isinstance(cell, str) else cell[0] for cell in tutorial(unit_norm="def answer(g, c): return g")]
    assert statuses(mark(write(tmp_path / "a.ipynb", cells))) == ["passed", "passed", "wrong"]


@pytest.mark.usefixtures("shared")
def test_all_exercises_may_stand_in_one_cell(tmp_path):
    cells = [(SETUP, {}), *(cell for name in NAMES for cell in exercise(name))]
    assert statuses(mark(write(tmp_path / "a.ipynb", ["\n".join(source for source, _ in cells)]))) == 3 * ["passed"]


@pytest.mark.usefixtures("shared")
def test_deleted_exercises_are_missing_and_deleted_checks_are_not_needed(tmp_path):
    marks = mark(write(tmp_path / "a.ipynb", [SETUP, exercise("chain_factor")[1], exercise("clip_norm")[0]]))
    assert statuses(marks) == ["missing", "passed", "missing"]
    assert "no cell check.unit_norm(answer)" in marks.exercises[2].line
    assert "No cell above its check defines `answer`" in marks.exercises[0].line


@pytest.mark.usefixtures("shared")
def test_the_better_of_two_attempts_counts(tmp_path):
    cells = [SETUP, *exercise("chain_factor", "def answer(w, T): return 3"), *exercise("chain_factor"),
             "check.chain_factor(answer)", *exercise("chain_factor", "def answer(w, T): return 4")]
    assert statuses(mark(write(tmp_path / "a.ipynb", cells)))[0] == "passed"


@pytest.mark.usefixtures("shared")
def test_a_broken_lesson_is_named_and_the_exercises_are_marked(tmp_path):
    lesson = ["x = 1\nx.shape", "while True: pass", "fine = 1", "# only a comment\n" + 60 * "y" + " = 1 +"]
    marks = mark(write(tmp_path / "a.ipynb", tutorial(lesson, chain_factor="def answer(w, T): return fine * w**T")),
                 timeout=SHORT)
    assert marks.points == 3
    assert marks.notes == ["cell 2 (x = 1): it raises AttributeError: 'int' object has no attribute 'shape'.",
                           "cell 3 (while True: pass): stopped after 1.5 s.",
                           "cell 5 (# only a comment): it raises SyntaxError: invalid syntax (line 2)."]


@pytest.mark.usefixtures("shared")
def test_broken_imports_cost_nothing_that_can_be_saved(tmp_path):
    cells = tutorial()
    cells[0] = "import numpy az np"
    marks = mark(write(tmp_path / "a.ipynb", cells))
    assert marks.points == 3
    assert marks.notes[0].startswith("cell 1 (import numpy az np): it raises SyntaxError")
    assert marks.notes[1].startswith("clip_norm passes by itself, with nothing but the tutorial's setup cells")


@pytest.mark.usefixtures("shared")
def test_helpers_may_stand_in_cells_of_their_own(tmp_path):
    cells = [SETUP, "def half(a): return a / 2",
             *exercise("chain_factor", "def power(w, T): return 2 * w**T\n" + EMPTY)]
    cells.insert(3, "def answer(w, T): return half(power(w, T))")
    assert statuses(mark(write(tmp_path / "a.ipynb", cells)))[0] == "passed"


@pytest.mark.usefixtures("shared")
def test_what_comes_after_the_limit_for_all_is_not_run(tmp_path, monkeypatch):
    started = []

    def left(self):
        """The time for all begins when the first exercise has been marked, however long that took."""
        if "chain_factor" not in self.results:
            return LONG
        started.append(time.monotonic())
        return started[0] + SHORT - started[-1]

    monkeypatch.setattr(marking.Marking, "left", left)
    marks = mark(write(tmp_path / "a.ipynb", tutorial(clip_norm="while True: pass")), timeout=LONG, total=70)
    assert statuses(marks) == ["passed", "time", "not run"]
    assert "the 70 s for the whole notebook are over" in marks.exercises[1].line
    assert "The 70 s for the whole notebook are over" in marks.exercises[2].line


# ------------------------------------------------------------------- in kernels that are lost

@pytest.fixture
def traces(monkeypatch):
    """A folder for temporary files; at the end there must be none."""
    with tempfile.TemporaryDirectory(prefix="m") as place:
        monkeypatch.setattr(tempfile, "tempdir", place)
        yield place
        assert os.listdir(place) == []


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_kernel_that_ends_or_ignores_the_interrupt_is_replaced(tmp_path, traces, request):
    """The next one has run the lesson again, not the culprits, and nothing is left behind."""
    lesson = ["import os\nwith open('pids', 'a') as file: print(os.getpid(), file=file)",
              "import threading\nfactor = float(os.environ['OMP_NUM_THREADS'])"]
    request.getfixturevalue("small").extend((source, []) for source in lesson)
    stubborn = ("import time\ndef answer(*args):\n    while True:\n        try: time.sleep(60)\n"
                "        except BaseException: pass")
    path = write(tmp_path / "a.ipynb", tutorial(
        lesson, chain_factor="import os, subprocess\nsubprocess.Popen(['sleep', '100'])\nos._exit(0)",
        clip_norm=stubborn, unit_norm=RIGHT["unit_norm"].replace("ctx.norm if", "ctx.norm * factor if")))
    before = path.read_bytes()
    marks = mark(path, timeout=2)
    assert statuses(marks) == ["died", "time", "passed"]
    assert "it ended the process" in marks.exercises[0].line
    assert marks.notes == []
    assert path.read_bytes() == before
    pids = [int(line) for line in (tmp_path / "pids").read_text().split()]
    assert len(pids) == len(set(pids)) == 3
    assert all(map(gone, pids))


@pytest.mark.usefixtures("small")
def test_what_one_exercise_does_to_numpy_is_not_the_others_fault(tmp_path):
    """A second try, alone: the right answer passes, and the crash is its own."""
    poison = "import numpy\ndel numpy.ndarray\n" + RIGHT["chain_factor"]
    crash = "import ctypes\ndef answer(*args): ctypes.string_at(0)"
    marks = mark(write(tmp_path / "a.ipynb", tutorial(chain_factor=poison, unit_norm=crash)), timeout=LONG)
    assert statuses(marks) == ["error", "passed", "died"]
    assert marks.notes == ["clip_norm passes by itself, with nothing but the tutorial's setup cells; in the notebook, "
                           "a cell above it stands in its way."]


@pytest.mark.usefixtures("small")
def test_helpers_of_a_passed_exercise_outlive_the_kernel(tmp_path):
    """And a lesson that kills the kernel is passed over from then on."""
    cells = tutorial(["import os\nos._exit(1)"], chain_factor="def norm(a): return a.norm\n" + RIGHT["chain_factor"],
                     clip_norm="import os\ndef answer(*args): os.abort()",
                     unit_norm=RIGHT["unit_norm"].replace("ctx.norm", "norm(ctx)"))
    marks = mark(write(tmp_path / "a.ipynb", cells), timeout=LONG)
    assert statuses(marks) == ["passed", "died", "passed"]
    assert marks.notes == ["cell 2 (import os): it ended the process."]


def test_an_answer_from_before_the_loss_of_a_kernel_is_not_the_next_ones(tmp_path, request):
    request.getfixturevalue("small").append((RIGHT["chain_factor"], []))
    cells = [SETUP, *exercise("chain_factor"), *exercise("clip_norm", "import os\nos._exit(0)"), "x = answer(1, 2)",
             exercise("unit_norm")[1]]
    marks = mark(write(tmp_path / "a.ipynb", cells), timeout=LONG)
    assert statuses(marks) == ["passed", "died", "missing"]
    assert marks.notes == []


@pytest.mark.usefixtures("small")
def test_a_kernel_that_does_not_start_is_an_error_of_ours(tmp_path):
    with pytest.raises(KernelError, match="memory"):
        mark(write(tmp_path / "a.ipynb", tutorial()), memory=0.01)


# ---------------------------------------------------------------------------------- parts

def test_a_tail_keeps_the_end():
    tail = Tail()
    for k in range(10_000):
        tail.write(f"line {k}\n")
    assert len(tail.text) == LONGEST
    assert tail.text.endswith("line 9999\n")


@pytest.mark.parametrize(("text", "line"), [
    ("two\nlines", "two lines"), ("\x1b[31mred\x07", "[31mred"), ("", ""),
    ("invalid syntax (<ipython-input-3-abc>, line 7)", "invalid syntax (line 7)"),
    ("invalid syntax (4061017015.py, line 1)", "invalid syntax (line 1)"), ("<f at 0x7f12AB>", "<f>"),
    (1000 * "x", 396 * "x" + " ..."),
])
def test_what_a_learner_wrote_is_shown_as_one_plain_line(text, line):
    assert one_line(text) == line


def test_every_status_is_known():
    assert set(marking.DOUBTFUL) < set(marking.STATUSES)
