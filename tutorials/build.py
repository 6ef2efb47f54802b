"""Build the notebooks: from each source, run once, the learner's notebook and the solutions, in both languages.

    python tutorials/build.py            all of them
    python tutorials/build.py 00 05      only these

A source, `source/NN_name.py`, is a py:percent file.  Its text cells come in pairs, English and Chinese; its code cells
stand once.  Four notebooks are made of it, all with their outputs:

    NN_name.ipynb               for the learner: what stands between the solution marks is left to be written
    zh/NN_name.ipynb            the same in Chinese: the same code, the same outputs, the same figures
    solutions/NN_name.ipynb     what the exercises need ("setup" cells), and the exercises, solved and explained
    zh/solutions/NN_name.ipynb  the same in Chinese

Cell ids come from the position and the metadata hold nothing of the machine or the hour, so that building twice
changes nothing.
"""

import base64
import copy
import io
import os
import re
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TIMEOUT = 120
"""Seconds that one cell may take."""

LANGUAGES = ("en", "zh")
YOUR_TURN = {"en": "## Your turn", "zh": "## 练习"}
"""Where the exercises begin; from there on a source holds nothing else."""

SOLUTIONS = {
    "en": "# {title}: solutions\n\nTry the exercises in `{name}.ipynb` before you read on. Install once, in the folder "
          'of the project:\n\n    python -m pip install -e ".[notebook]"',
    "zh": "# {title}：参考答案\n\n请先自己做 `{name}.ipynb` 中的练习，再往下看。首次使用时，请在项目文件夹中安装："
          '\n\n    python -m pip install -e ".[notebook]"',
}
MARKED = re.compile(r"^( *)### BEGIN SOLUTION\n.*?^ *### END SOLUTION$", re.DOTALL | re.MULTILINE)
WIDGET = "application/vnd.jupyter.widget-view+json"


class SourceError(ValueError):
    """A source that does not keep to the form; the message says where."""


def sources():
    """Return the paths of all sources."""
    return sorted((HERE / "source").glob("[0-9][0-9]_*.py"))


def place(source, lang="en", solutions=False):
    """Return where the notebook of a source is: of this language, the learner's or the solutions."""
    folder = HERE if lang == "en" else HERE / lang
    return (folder / "solutions" if solutions else folder) / f"{source.stem}.ipynb"


def read(source, lang="en", solutions=False):
    """Return one of the notebooks that a source describes, without outputs.

    Args:
        source: path of a py:percent file.
        lang: "en" or "zh".
        solutions: the solutions instead of the learner's notebook.

    Raises:
        SourceError: if a text cell has no partner, or an exercise is not of the form the checks need.
    """
    import jupytext

    notebook = jupytext.read(source)
    cells = in_language(source, notebook.cells, lang)
    cells = solved(source, cells, lang) if solutions else [c for c in cells if "solution" not in tags(c)]
    notebook.cells = [copy.deepcopy(cell) for cell in cells]
    name_exercises(source, notebook.cells)
    if not solutions:
        for cell in notebook.cells:
            cell.source = MARKED.sub(r"\1raise NotImplementedError", cell.source)
    return tidy(notebook)


def tags(cell):
    """Return the tags of a cell."""
    return cell.metadata.get("tags", [])


def in_language(source, cells, lang):
    """Return the code cells and the text cells of one language; refuse a text cell without its partner."""
    kept = []
    for position, cell in enumerate(cells):
        if cell.cell_type == "code":
            kept.append(cell)
            continue
        where = f"{source.name}: the text cell that begins {cell.source[:40]!r}"
        if cell.metadata.get("lang") == "en":
            partner = cells[position + 1] if position + 1 < len(cells) else None
            if partner is None or partner.metadata.get("lang") != "zh":
                raise SourceError(f'{where} needs its Chinese partner, lang="zh", as the next cell')
            chosen = cell if lang == "en" else copy.deepcopy(partner)
            chosen.metadata = type(cell.metadata)({**cell.metadata, "lang": lang})
            kept.append(chosen)
        elif position == 0 or cells[position - 1].metadata.get("lang") != "en":
            raise SourceError(f'{where} must follow the English one that it belongs to, and say lang="zh"')
    return kept


def solved(source, cells, lang):
    """Return the cells of the solutions: a title, what the exercises need, and the exercises."""
    begin = [i for i, c in enumerate(cells) if c.cell_type == "markdown" and c.source.startswith(YOUR_TURN[lang])]
    if len(begin) != 1:
        raise SourceError(f"{source.name}: one text cell must begin with {YOUR_TURN[lang]!r}; {len(begin)} do")
    first = copy.deepcopy(cells[0])
    title = first.source.partition("\n")[0].removeprefix("# ")
    first.source = SOLUTIONS[lang].format(title=title, name=source.stem)
    return [first, *[c for c in cells[:begin[0]] if "setup" in tags(c)], *cells[begin[0]:]]


def name_exercises(source, cells):
    """Put nbgrader's metadata on the exercises and their checks, in place: which belong together, and the points."""
    answer = None
    for cell in cells:
        if "exercise" in tags(cell):
            if not cell.source.startswith("def answer(") or len(MARKED.findall(cell.source)) != 1:
                raise SourceError(f"{source.name}: an exercise must be `def answer(...)` with one pair of solution "
                                  f"marks, not {cell.source[:60]!r}")
            answer = cell
        elif "check" in tags(cell):
            name = re.fullmatch(r"check\.(\w+)\(answer\)", cell.source)
            if name is None or answer is None:
                raise SourceError(f"{source.name}: a check must be `check.NAME(answer)` below its exercise, "
                                  f"not {cell.source[:60]!r}")
            both = {"schema_version": 3, "task": False}
            answer.metadata["nbgrader"] = {**both, "grade_id": f"{name[1]}-answer", "grade": False, "locked": False,
                                           "solution": True}
            cell.metadata["nbgrader"] = {**both, "grade_id": name[1], "grade": True, "locked": True, "points": 1,
                                         "solution": False}
            answer = None


def tidy(notebook):
    """Make a notebook reproducible, in place; returns it.

    A live slider is of no use without its kernel, and what it shows stands beside it as a figure: it is left out.
    """
    notebook.metadata = type(notebook.metadata)({
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"file_extension": ".py", "mimetype": "text/x-python", "name": "python"},
    })
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for index, cell in enumerate(notebook.cells):
        cell.id = f"cell-{index:02d}"
        for key in ("execution", "lines_to_next_cell"):         # when it ran; how the source is spaced
            cell.metadata.pop(key, None)
        if "outputs" in cell:
            cell.outputs = [o for o in cell.outputs if WIDGET not in o.get("data", {})]
    return notebook


def execute(notebook):
    """Run a notebook in a fresh kernel, in place, and return it; the outputs are stored in its cells.

    The kernel imports the minigrad that stands beside the tutorials, installed or not, and computes on one thread.

    Raises:
        nbclient.exceptions.CellExecutionError: if a cell raises.
    """
    from nbclient import NotebookClient
    from traitlets.config import Config

    paths = [str(HERE.parent), os.environ.get("PYTHONPATH", "")]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "OMP_NUM_THREADS": "1",
           "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    with tempfile.TemporaryDirectory() as sockets:
        # Sockets in a directory of their own instead of ports: nobody else can take one, and nothing listens outside.
        place = {} if os.name == "nt" else {"transport": "ipc", "ip": os.path.join(sockets, "kernel")}
        client = NotebookClient(notebook, timeout=TIMEOUT, kernel_name="python3", coalesce_streams=True,
                                config=Config(KernelManager=place))
        client.execute(cwd=str(HERE), env=env)
    outputs = [o.get("data", {}) for cell in notebook.cells for o in cell.get("outputs", [])]
    for data in (d for d in outputs if "image/png" in d):
        data["image/png"] = base64.b64encode(smaller(base64.b64decode(data["image/png"]))).decode()
    return tidy(notebook)


def smaller(png):
    """Return a picture in at most 256 colours, a third of the bytes; as it was, if that is not smaller.

    The method is the one that leaves no rare colour out: on figures like ours none is off by more than 15 of 255.
    """
    from PIL import Image  # which Matplotlib brings

    picture = Image.open(io.BytesIO(png)).convert("RGB")
    few = picture.quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    out = io.BytesIO()
    few.save(out, "PNG", optimize=True)
    return min(out.getvalue(), png, key=len)


def with_outputs(notebook, executed):
    """Give a notebook the outputs of another edition, in place, and return it; their code must be the same."""
    ours, theirs = ([c for c in nb.cells if c.cell_type == "code"] for nb in (notebook, executed))
    if [c.source for c in ours] != [c.source for c in theirs]:
        raise SourceError("the editions differ in their code")
    for cell, done in zip(ours, theirs, strict=True):
        cell.outputs, cell.execution_count = copy.deepcopy(done.outputs), done.execution_count
    return notebook


def build(source):
    """Run one source and write its notebooks.

    Returns:
        list of path: the notebooks written.
    """
    import nbformat

    written = []
    for solutions in (False, True):
        executed = execute(read(source, "en", solutions))
        for lang in LANGUAGES:
            notebook = with_outputs(read(source, lang, solutions), executed)
            target = place(source, lang, solutions)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
            written.append(target)
    return written


def chosen(words):
    """Return the sources that words name, by number, name or path; all of them for no word."""
    found = [s for s in sources() if not words or any(Path(w).stem in (s.stem, s.stem[:2]) for w in words)]
    if len(found) < len(words):
        raise SystemExit(f"there is no source for each of {' '.join(words)}; there are "
                         f"{', '.join(s.stem for s in sources())}")
    return found


if __name__ == "__main__":
    for each in chosen(sys.argv[1:]):
        for built in build(each):
            print(f"{built.relative_to(HERE.parent)}: {built.stat().st_size / 1000:.0f} kB")
