"""Build the notebooks: run each source (py:percent) and write the .ipynb beside it, outputs included.

    python tutorials/build.py                            all of them
    python tutorials/build.py tutorials/00_start_here.py     only these

Cell ids come from the position and the metadata hold nothing of the machine or the hour, so that building twice
changes nothing.
"""

import os
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TIMEOUT = 120
"""Seconds that one cell may take."""


def sources():
    """Return the sources of all notebooks: the tutorials, then their solutions."""
    return [*sorted(HERE.glob("[0-9][0-9]_*.py")), *sorted(HERE.glob("solutions/[0-9][0-9]_*.py"))]


def read(source):
    """Return the notebook that a source describes, without outputs, its metadata tidied.

    Args:
        source: path of a py:percent file.

    Returns:
        a notebook node.
    """
    import jupytext

    return tidy(jupytext.read(source))


def tidy(notebook):
    """Make the metadata of a notebook reproducible, in place; returns it."""
    notebook.metadata = type(notebook.metadata)({
        "jupytext": {"formats": "ipynb,py:percent"},
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"file_extension": ".py", "mimetype": "text/x-python", "name": "python"},
    })
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for index, cell in enumerate(notebook.cells):
        cell.id = f"cell-{index:02d}"
        for key in ("execution", "lines_to_next_cell"):         # when it ran; how the source is spaced
            cell.metadata.pop(key, None)
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
    return tidy(notebook)


def build(source):
    """Run one source and write its notebook; returns the path written."""
    import nbformat

    target = source.with_suffix(".ipynb")
    text = nbformat.writes(execute(read(source))) + "\n"
    target.write_text(text, encoding="utf-8")
    return target


if __name__ == "__main__":
    for path in [Path(name).resolve() for name in sys.argv[1:]] or sources():
        built = build(path)
        print(f"{built.relative_to(HERE.parent)}: {built.stat().st_size / 1000:.0f} kB")
