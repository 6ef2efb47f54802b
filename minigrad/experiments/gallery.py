"""The gallery: every experiment run with its default settings, its figure in a folder, and a page that shows them all.

What is known of each figure is kept in ``figures.json`` beside them, so that the page can be written anew when only
some were made anew.
"""

import json
import re
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path

from minigrad import experiments, plot
from minigrad.experiments.experiment import as_json, compared, measured, quiet
from minigrad.files import whole

LIMIT = 300_000
"""No picture is larger, in bytes."""

CANDIDATES = (("svg", None), ("png", 130), ("png", 110), ("png", 90), ("png", 70), ("png", 50))
"""What a picture is saved as, and with how many dots per inch: the first that is small enough."""

SHOWN = 8
"""Of more numbers than this the page hides the rest until it is asked for them."""

KNOWN = "figures.json"


def chosen(names):
    """Return the modules of these experiments by name, each once; all if none is given.

    Raises:
        KeyError: for an unknown name; it says which are near, and which there are.
    """
    return {name: experiments.find(name) for name in names or experiments.EXPERIMENTS}


@dataclass
class Shown:
    """What is known of a figure that was made.

    Attributes:
        name, question, answer: of the experiment.
        file: of the picture.
        headline: the numbers, by name.
        expected: rows of :func:`minigrad.experiments.experiment.compared`.
    """

    name: str
    question: str
    answer: str
    file: str
    headline: dict
    expected: list

    @property
    def off(self):
        """The names of the numbers that are not as expected."""
        return [row[0] for row in self.expected if not row[-1]]


def make(name, module, folder, progress=quiet):
    """Run an experiment, write its figure and the page that shows it; return what is :class:`Shown`."""
    result, folder = measured(module, module.Config(), progress), Path(folder)
    answer, figure = module.answer(result), module.figure(result)
    shown = Shown(name, module.QUESTION, answer, save(figure, folder, name).name, dict(result.headline),
                  compared(module.EXPECTED, result.headline))
    write_page(folder, {**known(folder), name: shown})
    return shown


def save(figure, folder, stem):
    """Save a figure as SVG if that is small enough, else as PNG; return the path.

    Raises:
        ValueError: if no kind is below LIMIT.
    """
    for kind, dpi in CANDIDATES:
        picture = picture_of(figure, kind, dpi)
        if len(picture) < LIMIT:
            break
    else:
        raise ValueError(f"{stem}: the figure has {len(picture)} bytes at {dpi} dots per inch, more than {LIMIT}")
    path = folder / f"{stem}.{kind}"
    with whole(path, "wb") as file:
        file.write(picture)
    (folder / f"{stem}.{'png' if kind == 'svg' else 'svg'}").unlink(missing_ok=True)
    return path


def picture_of(figure, kind, dpi):
    """Return a figure as bytes, the same for the same figure."""
    file = BytesIO()
    with plot.styled():
        metadata = {"Date": None} if kind == "svg" else {"Software": "minigrad"}
        figure.savefig(file, format=kind, metadata=metadata, **({} if dpi is None else {"dpi": dpi}))
    return file.getvalue()


# ----------------------------------------------------------------------------------------------- the page

def known(folder):
    """Return what is known of the figures in a folder: a dict name -> :class:`Shown`.

    Raises:
        ValueError: if the record is damaged.
    """
    try:
        records = json.loads((folder / KNOWN).read_text(encoding="utf-8"))
        return {name: Shown(name=name, **record) for name, record in records.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, AttributeError):
        raise ValueError(f"{folder / KNOWN} is damaged; delete it and make all figures anew") from None


def write_page(folder, shown):
    """Write README.md, which shows all figures, and the record of what is known."""
    shown = [shown[name] for name in experiments.EXPERIMENTS if name in shown and (folder / shown[name].file).exists()]
    records = {s.name: {key: value for key, value in asdict(s).items() if key != "name"} for s in shown}
    with whole(folder / KNOWN) as file:
        file.write(as_json(records))
    with whole(folder / "README.md") as file:
        file.write(page(shown, sorted(p.name for p in folder.glob("benchmarks.*"))))


def page(shown, benchmarks):
    """Return the page as Markdown."""
    lines = ["# Figures", "",
             "Made by `minigrad figures`, each from a run with default settings; `minigrad figures --check` compares",
             "the numbers with those expected. On one machine the same figure has the same bytes each time. Numbers of",
             "trainings depend on rounding, and so on the machine: they are counted over seeds.", ""]
    lines += [f"- [{s.name}](#{s.name}): {escaped(s.question)}" for s in shown]
    for s in shown:
        lines += ["", f"## {s.name}", "", f"**{escaped(s.question)}** {escaped(s.answer)}", "",
                  f"![{escaped(s.question)}]({s.file})", "",
                  f"Made by `minigrad figures {s.name}`; with settings of your own: `minigrad run {s.name} --set ...`.",
                  "", *numbers(s)]
    if benchmarks:
        links = ", ".join(f"[{name}]({name})" for name in benchmarks)
        lines += ["", "## benchmarks", "", f"{links}: timings, made by `python -m benchmarks --write`."]
    return "\n".join(lines) + "\n"


def numbers(s):
    """Return the headline numbers as tables: what was expected first, the rest beside no expectation."""
    rows = [f"| {escaped(name)} | {digits(value)}{'' if holds else ' **(off)**'} | {expectation(wanted, margin)} | "
            f"{escaped(source)} |" for name, wanted, value, margin, source, holds in s.expected]
    first = ["| number | measured | expected | where from |", "|---|--:|---|---|"]
    there = {row[0] for row in s.expected}
    rest = [f"| {escaped(name)} | {digits(value)} |" for name, value in s.headline.items() if name not in there]
    lines = folded([*first, *rows], f"{len(rows)} numbers beside those expected", len(rows)) if rows else []
    second = ["| number | measured |", "|---|--:|"]
    return [*lines, *([""] if rows and rest else []),
            *(folded([*second, *rest], f"{len(rest)} more numbers" if rows else f"{len(rest)} numbers", len(rest))
              if rest else [])]


def folded(table, summary, count):
    """Return a table, hidden behind a line if it is long."""
    if count <= SHOWN:
        return table
    return ["<details>", f"<summary>{summary}</summary>", "", *table, "", "</details>"]


def expectation(value, margin):
    """Return in words what was expected."""
    return f"{margin} {digits(value)}" if margin in ("at least", "at most") else f"{digits(value)} ({escaped(margin)})"


def digits(value):
    """Return a number with five digits; nan and inf are kept as text in JSON."""
    return f"{value:.5g}" if isinstance(value, (int, float)) else escaped(str(value))


def escaped(text):
    r"""Return a text that Markdown shows as it is.

    Example:
        >>> escaped("|a| * b")
        '\\|a\\| \\* b'
    """
    return re.sub(r"([\\`*|<>\[\]$])", r"\\\1", text)
