"""Where the notebooks of the course are, and what each says of itself."""

import importlib.metadata
import json
import re
from pathlib import Path
from typing import NamedTuple

import minigrad

DISTRIBUTION = "minigrad-lab"
SHARED = "share/minigrad/tutorials"
"""Where a wheel puts the notebooks, below the prefix of the environment."""

LANGUAGES = {"en": "", "zh": "zh"}
"""Each language, and its folder within the course."""

FIRST = "00_start_here.ipynb"
TIME = {"en": re.compile(r"\b(about\s+[\w-]+\s+(?:seconds?|minutes?))\b"),
        "zh": re.compile(r"约(?:需要|需)?\s*([\d一二三四五六七八九十两半]+\s*(?:秒|分)钟?)")}
GOAL = {"en": re.compile(r"\*\*Goal:\s*(.+?)\*\*", re.DOTALL),
        "zh": re.compile(r"\*\*目标[：:]\s*(.+?)\*\*", re.DOTALL)}


class Tutorial(NamedTuple):
    """What is known of one tutorial.

    Attributes:
        number: "00" and so on.
        title: its heading, without the number.
        goal: what its first cell says one learns.
        time: how long it takes, "" if it does not say.
        path: of its notebook.
    """

    number: str
    title: str
    goal: str
    time: str
    path: Path


def folder():
    """Return the folder of the course.

    Where the minigrad that runs was installed from a wheel, it is among the files that the wheel brought, wherever the
    installer put them; otherwise, in a checkout, it lies beside the package.

    Raises:
        FileNotFoundError: if it is in neither place.

    Example:
        >>> (folder() / "00_start_here.ipynb").is_file()
        True
    """
    package = Path(minigrad.__file__).resolve().parent
    for place in (*installed(package), package.parent / "tutorials"):
        if (place / FIRST).is_file():
            return place
    raise FileNotFoundError(f"the notebooks of the course are neither among the files of {DISTRIBUTION} nor beside "
                            f"{package}; install {DISTRIBUTION} again")


def installed(package):
    """Return the folders in which the wheel that this package came from may have put the course.

    A distribution of the name that holds another copy of the package (an editable install, or a checkout that is tried
    in an environment with a released version) has other notebooks, too, and is passed over.
    """
    try:
        found = importlib.metadata.distribution(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return []
    files = {str(file).replace("\\", "/"): file for file in found.files or ()}
    home = files.get("minigrad/__init__.py")
    if home is None or Path(home.locate()).resolve().parent != package:
        return []
    named = [Path(file.locate()).resolve().parent for name, file in files.items() if name.endswith(f"{SHARED}/{FIRST}")]
    # `pip install --target` moves the files after it has written the list of them.
    return [*named, Path(found.locate_file(SHARED))]


def notebooks(lang="en", solutions=False):
    """Return the paths of the notebooks of one language: a dict number -> path, in order.

    Args:
        lang: "en" or "zh".
        solutions: the worked solutions instead of the tutorials.

    Raises:
        FileNotFoundError: if there is no course; see :func:`folder`.
    """
    place = folder() / LANGUAGES[lang] / ("solutions" if solutions else "")
    return {path.name[:2]: path for path in sorted(place.glob("[0-9][0-9]_*.ipynb"))}


def tutorials(lang="en"):
    """Return all tutorials in one language, as each describes itself in its first cell.

    Raises:
        FileNotFoundError: if there is no course; see :func:`folder`.

    Example:
        >>> start = tutorials()[0]
        >>> start.number, start.title, start.goal
        ('00', 'Start here', 'five lines to an exploding gradient.')
    """
    return [describe(number, path, lang) for number, path in notebooks(lang).items()]


def describe(number, path, lang):
    """Return what the first cell of a notebook says of it, as a :class:`Tutorial`."""
    first = cell_source(json.loads(path.read_text(encoding="utf-8"))["cells"][0])
    heading = first.partition("\n")[0].lstrip("# ")
    title = re.sub(rf"^{number}\s*[·:.：]?\s*", "", heading)
    goal, time = GOAL[lang].search(first), TIME[lang].search(first)
    return Tutorial(number, title, re.sub(r"[`$\\]", "", one_line(goal)), one_line(time), path)


def one_line(match):
    """Return what a pattern found as one line, "" if it found nothing."""
    return " ".join(match[1].split()) if match else ""


def cell_source(cell):
    """Return the source of a cell of a notebook file, which holds it as a text or as a list of lines."""
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


def code_cells(number):
    """Return the code cells of a tutorial as it was delivered: pairs of its source and its tags.

    An empty list where the course is not at hand.
    """
    try:
        path = notebooks()[number]
    except (FileNotFoundError, KeyError):
        return []
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [(cell_source(c).strip(), c["metadata"].get("tags", [])) for c in cells if c["cell_type"] == "code"]
