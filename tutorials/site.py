"""Build the course as a web site: every notebook runs in the reader's browser, nothing is installed and nothing sent.

    python -m pip install -e ".[site]"
    python tutorials/site.py                                    writes the site to the folder `site`
    python tutorials/site.py --out DIR --pyodide FILE.tar.bz2   elsewhere, with Python for the browser in it

The site is JupyterLite with Pyodide, which is CPython, NumPy and Matplotlib compiled to WebAssembly.  It is a folder of
files that any web server can give out; look at it with `python -m http.server -d site`.  By itself it lets a reader's
page load Pyodide from its usual delivery network; with ``--pyodide`` it carries that distribution and refers to no
other host, so that it also serves a class room without a way out.

Each notebook gets a first code cell, tagged "site", that installs minigrad from the site.  Building twice from the same
files, with the same versions, writes the same bytes.
"""

import argparse
import html
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent

PYODIDE = "https://cdn.jsdelivr.net/pyodide/v0.27.7/full/pyodide.js"
"""Where pages load Pyodide from, unless the site carries it; this version is what the test runs in a browser."""

WHEELS = ("comm==0.2.3", "ipywidgets==8.1.9", "jupyterlab_widgets==3.0.17", "tqdm==4.67.1")
"""What notebooks need and Pyodide's kernel has not; ipywidgets must fit the jupyterlab_widgets that is installed."""

EXTENSIONS = ("@jupyterlite/pyodide-kernel-extension", "@jupyter-widgets/jupyterlab-manager")
"""What the pages load; named, so that whatever else is installed beside them stays out."""

EPOCH = "1735689600"
"""The date of all files, 1 January 2025, unless SOURCE_DATE_EPOCH names another; seconds since 1970."""

FOLDERS = {"en": "", "zh": "zh/"}
INSTALL = {
    "en": "# You are in the browser: this cell stands for the installation above. Once per notebook, some seconds.\n",
    "zh": "# 你正在浏览器中运行：这个单元格代替上面的安装步骤，每个笔记本运行一次即可，约需几秒。\n",
}
COMMAND = """\
import sys

if sys.platform == "emscripten":        # and not where somebody opens a copy at home
    %pip install -q minigrad-lab ipywidgets"""

KERNEL = {"display_name": "Python (Pyodide)", "language": "python", "name": "python"}
SETTINGS = {"@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"}}    # short notebooks: draw all cells

# The script is for JupyterLite: its pages ask the page above them for settings.
PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>minigrad: a gradient-flow laboratory</title>
<link rel="icon" href="favicon.ico">
<script id="jupyter-config-data" type="application/json" data-jupyter-lite-root=".">{{}}</script>
<style>
body {{ max-width: 46rem; margin: 2rem auto; padding: 0 1rem; font: 1.05rem/1.6 system-ui, sans-serif; color: #222 }}
h1 {{ font-size: 1.6rem }}
h2 {{ font-size: 1.2rem; margin-top: 2rem }}
li {{ display: flex; justify-content: space-between; gap: 1rem; border-bottom: 1px solid #ddd; padding: .3rem 0 }}
ul {{ list-style: none; padding: 0 }}
a {{ color: #1f5f99 }}
</style>
</head>
<body>
<h1>minigrad: a gradient-flow laboratory</h1>
<p>Watch gradients explode and vanish, and measure what clipping does. Each notebook runs in this browser: open one,
then choose <em>Run</em>, <em>Run All Cells</em>. Nothing is installed on your computer and nothing you write leaves it;
what you change is kept in this browser.</p>
<p lang="zh">每个笔记本都直接在浏览器中运行：打开后选择 <em>Run</em> →
<em>Run All Cells</em>。无需安装，你写的内容不会离开本机；修改保存在这个浏览器中。</p>
{lists}
</body>
</html>
"""
HEADINGS = {"en": ("Tutorials", "solutions"), "zh": ("教程", "参考答案")}


CURE = 'install what builds the site: python -m pip install -e ".[site]"'


class SiteError(RuntimeError):
    """The site cannot be built; the message says why and how to mend it."""


def notebooks(folder=HERE):
    """Return the paths of the notebooks of the course below a folder, relative to it, in the order of the course."""
    return [path.relative_to(folder) for lang in FOLDERS.values() for part in ("", "solutions/")
            for path in sorted(folder.glob(f"{lang}{part}[0-9][0-9]_*.ipynb"))]


def language(path):
    """Return "en" or "zh", by where a notebook stands."""
    return "zh" if path.parts[0] == "zh" else "en"


def for_the_browser(notebook, lang="en"):
    """Return a copy of a notebook (its JSON as a dict) whose first code cell installs minigrad from the site.

    Raises:
        SiteError: if it has such a cell already.
    """
    if any("site" in cell["metadata"].get("tags", ()) for cell in notebook["cells"]):
        raise SiteError('a notebook has a cell tagged "site" already; build from the notebooks of the repository')
    cell = {"cell_type": "code", "execution_count": None, "id": "site-install", "metadata": {"tags": ["site"]},
            "outputs": [], "source": INSTALL[lang] + COMMAND}
    cells = [whole(cell) for cell in notebook["cells"]]
    first = next((i for i, c in enumerate(cells) if c["cell_type"] == "code"), len(cells))
    return {**notebook, "cells": [*cells[:first], cell, *cells[first:]],
            "metadata": {**notebook["metadata"], "kernelspec": KERNEL}}


def whole(cell):
    """Return a copy of a cell whose texts are one string each; a page would put commas between the lines of a list."""
    if isinstance(cell, list):
        return "".join(cell) if all(isinstance(line, str) for line in cell) else [whole(part) for part in cell]
    if isinstance(cell, dict):
        return {name: part if name == "metadata" else whole(part) for name, part in cell.items()}
    return cell


def title(notebook, path):
    """Return the first heading of a notebook, or its name where it has none."""
    text = "".join(notebook["cells"][0]["source"]) if notebook["cells"] else ""
    found = re.match(r"# +(.+)", text)
    return found[1].strip() if found else path.stem


def start_page(titles):
    """Return the HTML of the page that lists the notebooks.

    Args:
        titles: path -> title, of every notebook of the site.
    """
    def link(path, text):
        return f'<a href="notebooks/index.html?path={path.as_posix()}">{html.escape(text)}</a>'

    lists = []
    for lang, (heading, solutions) in HEADINGS.items():
        rows = []
        for path in (p for p in titles if language(p) == lang and p.parent.name != "solutions"):
            answers = path.parent / "solutions" / path.name
            other = link(answers, solutions) if answers in titles else ""
            rows.append(f"<li>{link(path, titles[path])}<span>{other}</span></li>")
        if rows:
            lists.append(f'<h2 lang="{lang}">{heading}</h2>\n<ul lang="{lang}">\n' + "\n".join(rows) + "\n</ul>")
    return PAGE.format(lists="\n".join(lists))


def settings(local):
    """Return the contents of jupyter-lite.json; ``local``: whether the site carries Pyodide, and asks nobody else."""
    kernel = {"disablePyPIFallback": True} if local else {"pyodideUrl": PYODIDE}
    return {"jupyter-lite-schema-version": 0,
            "jupyter-config-data": {"appName": "minigrad",
                                    "litePluginSettings": {"@jupyterlite/pyodide-kernel-extension:kernel": kernel}}}


def run(*command, what, cwd=None):
    """Run Python with these arguments.

    Raises:
        SiteError: with the end of what it printed, if it fails.
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith("JUPYTERLITE_")}
    done = subprocess.run([sys.executable, *map(str, command)], cwd=cwd, stdin=subprocess.DEVNULL, text=True,
                          encoding="utf-8", errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env={**clean, "SOURCE_DATE_EPOCH": epoch(), "PYTHONUTF8": "1"})
    if done.returncode:
        raise SiteError(f"{what} failed (exit status {done.returncode}):\n{done.stdout[-3000:].strip()}")
    return done.stdout


def epoch():
    """Return the date of all files, in seconds since 1970, as text."""
    return os.environ.get("SOURCE_DATE_EPOCH", EPOCH)


def collect_wheels(work):
    """Return the wheels that the pages install: minigrad's, built from a copy of the checkout, and those of WHEELS."""
    source, wheels = work / "source", work / "wheels"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    # Without the tutorials, which are files of the site already.  A copy: the build leaves folders where it works.
    shutil.copytree(ROOT / "minigrad", source / "minigrad", ignore=shutil.ignore_patterns("__pycache__"))
    pip = ("-m", "pip", "--disable-pip-version-check")
    run(*pip, "wheel", "--no-deps", "--wheel-dir", wheels, source, what="Building the wheel of minigrad")
    run(*pip, "download", "--no-deps", "--only-binary=:all:", "--dest", wheels, *WHEELS,
        what="Downloading " + ", ".join(WHEELS))
    return sorted(wheels.glob("*.whl"))


def extensions():
    """Return the folders of what the pages load beside JupyterLite itself.

    Raises:
        SiteError: if one is not installed.
    """
    found = [Path(sys.prefix, "share", "jupyter", "labextensions", name) for name in EXTENSIONS]
    for path in found:
        if not path.is_dir():
            raise SiteError(f"{path} is missing; {CURE}")
    return found


def favicons():
    """Return the folder of the little pictures in a tab that say whether a kernel is busy."""
    spec = importlib.util.find_spec("jupyter_server")
    if spec is None:
        raise SiteError(f"jupyter_server is missing; {CURE}")
    return Path(spec.origin).parent / "static" / "favicons"


def check_out(out):
    """See that a folder is free for the site.

    Raises:
        SiteError: if there is something else in it than a site.
    """
    if out.exists() and not (out / "jupyter-lite.json").exists() and not (out.is_dir() and not any(out.iterdir())):
        raise SiteError(f"{out} is there already and holds no site; name another folder with --out")


def build(out, pyodide=None, tutorials=HERE):
    """Build the site.

    Args:
        out: folder to write; an older site there is replaced when the new one is complete.
        pyodide: path of a Pyodide distribution (.tar.bz2) to put into the site, or None.
        tutorials: folder of the notebooks.

    Returns:
        how many notebooks the site holds.

    Raises:
        SiteError: if something is missing, or a step fails.
    """
    out = Path(out).resolve()
    check_out(out)
    if pyodide is not None and not Path(pyodide).is_file():
        raise SiteError(f"{pyodide} is no file; --pyodide takes a distribution of Pyodide, pyodide-VERSION.tar.bz2")
    found = notebooks(tutorials)
    if not found:
        raise SiteError(f"there are no notebooks in {tutorials}; build them first: python tutorials/build.py")
    parts = extensions()
    with tempfile.TemporaryDirectory(prefix="minigrad-site-") as name:
        work = Path(name).resolve()
        lite, new = work / "lite", work / "out"
        titles = {}
        for path in found:
            notebook = json.loads((tutorials / path).read_text(encoding="utf-8"))
            titles[path] = title(notebook, path)
            target = lite / "contents" / path
            write(target, json.dumps(for_the_browser(notebook, language(path)), ensure_ascii=False, indent=1))
            os.utime(target, (int(epoch()), int(epoch())))
        write(lite / "jupyter-lite.json", json.dumps(settings(pyodide is not None)))
        write(lite / "overrides.json", json.dumps(SETTINGS))
        config = {"LiteBuildConfig": {"federated_extensions": [str(path) for path in parts]}}
        write(lite / "jupyter_lite_config.json", json.dumps(config))
        wheels = [option for wheel in collect_wheels(work) for option in ("--piplite-wheels", wheel)]
        own = [] if pyodide is None else ["--pyodide", Path(pyodide).resolve()]
        run("-m", "jupyterlite_core", "build", "--ignore-sys-prefix", "--no-sourcemaps", "--no-unused-shared-packages",
            "--no-libarchive", "--apps", "notebooks", "--apps", "lab", "--apps", "tree", "--contents", "contents",
            "--source-date-epoch", epoch(), "--output-dir", new, *wheels, *own, cwd=lite, what="JupyterLite")
        for path in (new / "api" / "contents").rglob("all.json"):           # listed as the file system has them
            listing = json.loads(path.read_text(encoding="utf-8"))
            listing["content"].sort(key=lambda entry: entry["name"])
            write(path, json.dumps(listing, indent=1))
        shutil.copytree(favicons(), new / "static" / "favicons", dirs_exist_ok=True)    # which the pages ask for
        shutil.copy(favicons() / "favicon.ico", new)
        write(new / "index.html", start_page(titles))
        if out.exists():
            shutil.rmtree(out)
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(new, out)
    return len(found)


def write(path, text):
    """Write a text file, in UTF-8 and with Unix line ends everywhere; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n" * (not text.endswith("\n")), encoding="utf-8", newline="\n")


def main(argv=None):
    """Build the site and say how large it is; return the exit status."""
    parser = argparse.ArgumentParser(description="Build the course as a web site that runs in the reader's browser.")
    parser.add_argument("--out", default="site", metavar="DIR", help="folder to write (%(default)s)")
    parser.add_argument("--notebooks", default=HERE, type=Path, metavar="DIR", help="folder of the notebooks, with "
                        "zh/ and solutions/ as there are (default: the tutorials)")
    parser.add_argument("--pyodide", metavar="FILE.tar.bz2", help="a Pyodide distribution to put into the site; "
                        "without it, a reader's page loads Pyodide from its usual delivery network")
    args = parser.parse_args(argv)
    try:
        count = build(args.out, args.pyodide, args.notebooks)
    except SiteError as error:
        print(f"tutorials/site.py: {error}", file=sys.stderr)
        return 1
    files = [path for path in Path(args.out).rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files) / 1e6
    print(f"{args.out}: {count} notebooks, {len(files)} files, {size:.0f} MB")
    print(f"Look at it: python -m http.server --bind 127.0.0.1 -d {args.out}, then open http://127.0.0.1:8000")
    return 0


if __name__ == "__main__":
    sys.exit(main())
