"""The course as a web site: what its builder makes of the notebooks, and tutorials run to their end in a real browser.

The browser's part builds the site with the Pyodide distribution that MINIGRAD_PYODIDE names, and runs where that is,
a Chromium is, and the packages of the extra `site` are:

    MINIGRAD_PYODIDE=pyodide-0.27.7.tar.bz2 python -m pytest tests/test_site.py -rs
"""

import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import browsing
import pytest
from test_tutorials import alike

ROOT = Path(__file__).parents[1]
TUTORIALS = ROOT / "tutorials"
COMMAND = "python tutorials/site.py"

spec = importlib.util.spec_from_file_location("course_site", TUTORIALS / "site.py")
site = importlib.util.module_from_spec(spec)
spec.loader.exec_module(site)


def read(path):
    return json.loads(Path(path).read_text(encoding="utf-8"))


# --------------------------------------------------------------------------------- without a browser

@pytest.mark.parametrize("path", site.notebooks(), ids=str)
def test_a_notebook_of_the_site_is_that_of_the_course_and_installs_minigrad_first(path):
    course = read(TUTORIALS / path)
    made = site.for_the_browser(course, site.language(path))
    first = next(i for i, cell in enumerate(made["cells"]) if cell["cell_type"] == "code")
    install = made["cells"][first]
    assert install["metadata"]["tags"] == ["site"]
    assert install["source"].splitlines()[-2].startswith('if sys.platform == "emscripten":')
    assert install["source"].splitlines()[-1] == "    %pip install -q minigrad-lab ipywidgets"
    assert ("浏览器" in install["source"]) == (path.parts[0] == "zh")
    rest = [*made["cells"][:first], *made["cells"][first + 1:]]
    assert [c["source"] for c in rest] == ["".join(c["source"]) for c in course["cells"]]
    assert len({cell["id"] for cell in made["cells"]}) == len(made["cells"])
    for was, cell in zip(course["cells"], rest):
        for before, after in zip(was.get("outputs", ()), cell.get("outputs", ())):
            assert "".join(before.get("text", "")) == after.get("text", "")
            assert not [kind for kind, data in after.get("data", {}).items() if isinstance(data, list)]
    assert read(TUTORIALS / path) == course


def test_the_site_holds_every_notebook_of_the_course():
    every = (path.relative_to(TUTORIALS) for path in TUTORIALS.rglob("*.ipynb"))
    assert set(site.notebooks()) == {path for path in every if ".ipynb_checkpoints" not in path.parts}
    assert Path("00_start_here.ipynb") == site.notebooks()[0]


def test_a_notebook_is_not_made_ready_twice():
    once = site.for_the_browser(read(TUTORIALS / "00_start_here.ipynb"))
    with pytest.raises(site.SiteError, match="already"):
        site.for_the_browser(once)


def test_the_start_page_links_to_both_languages_and_to_the_solutions():
    paths = [Path(p) for p in ("00_a.ipynb", "solutions/00_a.ipynb", "zh/00_a.ipynb", "01_b.ipynb")]
    page = site.start_page(dict(zip(paths, ("00 · A & B", "A: solutions", "00 · 甲", "01 · B"))))
    assert page.index("path=00_a.ipynb") < page.index("path=solutions/00_a.ipynb") < page.index("path=01_b.ipynb")
    assert page.index("path=01_b.ipynb") < page.index("path=zh/00_a.ipynb")
    assert "00 · A &amp; B" in page
    assert "00 · 甲" in page
    assert page.count("solutions/") == 1
    assert "参考答案" not in page                              # there is none for the one Chinese notebook


def test_titles_are_the_first_headings():
    assert site.title({"cells": [{"source": ["# 00 · Start\n", "text"]}]}, Path("00_x.ipynb")) == "00 · Start"
    assert site.title({"cells": [{"source": "text\n# later"}]}, Path("00_x.ipynb")) == "00_x"
    assert site.title({"cells": []}, Path("00_x.ipynb")) == "00_x"


def test_only_a_site_that_carries_pyodide_asks_nobody_else():
    kernel = {local: site.settings(local)["jupyter-config-data"]["litePluginSettings"]
              ["@jupyterlite/pyodide-kernel-extension:kernel"] for local in (True, False)}
    assert kernel[True] == {"disablePyPIFallback": True}
    assert kernel[False] == {"pyodideUrl": "https://cdn.jsdelivr.net/pyodide/v0.27.7/full/pyodide.js"}


def test_what_cannot_be_built_is_refused_before_anything_is_written(tmp_path, capsys):
    full = tmp_path / "full"
    full.mkdir()
    (full / "thesis.txt").write_text("kept")
    assert site.main(["--out", str(full)]) == 1
    assert "holds no site" in capsys.readouterr().err
    assert [path.name for path in full.iterdir()] == ["thesis.txt"]
    assert site.main(["--out", str(tmp_path / "new"), "--pyodide", str(tmp_path / "no.tar.bz2")]) == 1
    assert "no.tar.bz2 is no file" in capsys.readouterr().err
    assert site.main(["--out", str(tmp_path / "new"), "--notebooks", str(full)]) == 1
    assert "there are no notebooks" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_where_the_packages_are_missing_the_message_says_how_to_get_them(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert site.main(["--out", str(tmp_path / "new")]) == 1
    assert 'python -m pip install -e ".[site]"' in capsys.readouterr().err


def test_a_step_that_fails_shows_what_it_said():
    with pytest.raises(site.SiteError, match=r"Counting failed \(exit status 3\):\nout\nerr"):
        site.run("-c", "import sys; print('out', flush=True); print('err', file=sys.stderr); sys.exit(3)",
                 what="Counting")


def test_the_workflow_builds_with_the_documented_command_and_deploys_what_it_built():
    yaml = pytest.importorskip("yaml")
    text = (ROOT / ".github" / "workflows" / "pages.yml").read_text(encoding="utf-8")
    flow = yaml.safe_load(text)
    assert flow[True]["push"]["branches"] == ["main"]          # YAML takes the word `on` for a truth value
    assert flow["permissions"] == {"contents": "read", "pages": "write", "id-token": "write"}
    build, deploy = flow["jobs"]["build"], flow["jobs"]["deploy"]
    commands = [step["run"] for step in build["steps"] if "run" in step]
    assert commands == ['python -m pip install -e ".[site]"', f"{COMMAND} --out site"]
    assert [f"    {c}" in site.__doc__ for c in (commands[0], COMMAND)] == [True, True]
    upload = build["steps"][-1]
    assert upload["uses"].startswith("actions/upload-pages-artifact@")
    assert upload["with"]["path"] == "site"
    assert deploy["needs"] == "build"
    assert deploy["steps"][-1]["uses"].startswith("actions/deploy-pages@")
    assert deploy["environment"]["name"] == "github-pages"


# ------------------------------------------------------------------------------------- in a browser

FAULTY = ["""\
import js
request = js.XMLHttpRequest.new()
request.open("GET", "http://outside.example/", False)
try:
    request.send()
except Exception:
    print("asked")
""", "1 / 0"]
"""What no tutorial may do; it asks from the worker that is the kernel, and the page's own list does not show that."""


def lacking():
    """Return what is missing for a browser to run the tutorials, or None."""
    pyodide = os.environ.get("MINIGRAD_PYODIDE")
    if not pyodide:
        return "MINIGRAD_PYODIDE names no Pyodide distribution (pyodide-0.27.7.tar.bz2)"
    if not Path(pyodide).is_file():
        return f"MINIGRAD_PYODIDE = {pyodide} is no file"
    packages = [name for name in ("jupyterlite_core", "jupyterlite_pyodide_kernel", "jupyter_server", "websocket")
                if importlib.util.find_spec(name) is None]
    if packages:
        return f'{", ".join(packages)} not installed: python -m pip install -e ".[dev,site]"'
    return None if browsing.chromium() else "there is no chromium: apt-get install chromium"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The site with three tutorials and a notebook that does what none may do, built by the documented command."""
    if lacking():
        pytest.skip(lacking())
    folder = tmp_path_factory.mktemp("course")
    for path in site.notebooks():
        if path.name[:2] in ("00", "05", "06"):
            (folder / path.parent).mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes((TUTORIALS / path).read_bytes())
    cells = [{"cell_type": "code", "execution_count": None, "id": f"cell-{index}", "metadata": {}, "outputs": [],
              "source": source} for index, source in enumerate(FAULTY)]
    (folder / "99_faulty.ipynb").write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4,
                                                        "nbformat_minor": 5}))
    out = folder / "site"
    done = subprocess.run([sys.executable, TUTORIALS / "site.py", "--out", out, "--notebooks", folder,
                           "--pyodide", os.environ["MINIGRAD_PYODIDE"]], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out


def test_the_site_carries_minigrad_its_wheels_and_pyodide(built):
    names = sorted(path.name for path in (built / "pypi").glob("*.whl"))
    assert [name.split("-")[0] for name in names] == [
        "comm", "ipywidgets", "jupyterlab_widgets", "minigrad_lab", "tqdm"]
    with zipfile.ZipFile(next((built / "pypi").glob("minigrad_lab-*.whl"))) as wheel:
        held = wheel.namelist()
    assert "minigrad/tasks/digits.npz" in held
    assert "minigrad/check/__init__.py" in held
    assert not [name for name in held if name.endswith(".ipynb")]
    assert len(list((built / "static" / "pyodide").glob("numpy-2.0.2-*.whl"))) == 1
    assert sum(path.stat().st_size for path in built.rglob("*") if path.is_file()) < 70e6
    assert not [path for path in built.rglob("*.map")]
    page = (built / "index.html").read_text(encoding="utf-8")
    for path in site.notebooks(built / "files"):
        assert f"path={path.as_posix()}" in page


SECONDS = 600
"""A limit for what hangs; on an idle machine a tutorial is through in 20 to 60."""

CELLS = "document.querySelectorAll('.jp-CodeCell')"
PROMPTS = f"[...{CELLS}].map(c => c.querySelector('.jp-InputPrompt').textContent.trim())"
OUTPUTS = f"""[...{CELLS}].map(c => [...c.querySelectorAll('.jp-OutputArea-output')].map(o => ({{
    kind: o.dataset.mimeType ?? '', text: o.textContent,
    pictures: [...o.querySelectorAll('.jp-RenderedImage img, img.jp-RenderedImage')].map(i => i.naturalWidth)}})))"""
PICTURE = """(() => {
    const image = document.querySelector('img.widget-image');
    if (!image || !image.complete || !image.naturalWidth) return null;
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    canvas.getContext('2d').drawImage(image, 0, 0);
    return canvas.toDataURL();
})()"""
READOUT = "document.querySelector('.widget-readout')?.textContent"
STDOUT, STDERR = "application/vnd.jupyter.stdout", "application/vnd.jupyter.stderr"
FONTS = "Matplotlib is building the font cache; this may take a moment.\n"
"""The only thing that may stand on stderr, where errors stand too."""


class Page:
    """One notebook of the site in a browser of its own, until the block is left.

    Attributes:
        browser: what shows it.
        asked: after the block, the URLs that the page and its workers asked for.
        failed: what of them could not be had.
    """

    def __init__(self, built, name, folder):
        self.name, self.folder = name, folder
        self.server, self.browser = browsing.Server(built), browsing.Browser(folder)
        self.cells = [cell for cell in read(built / "files" / f"{name}.ipynb")["cells"] if cell["cell_type"] == "code"]

    def __enter__(self):
        self.server.__enter__()
        try:
            self.browser.__enter__()
        except BaseException:
            self.server.__exit__()
            raise
        return self

    def __exit__(self, kind, error, trace):
        if error is not None:
            path = self.folder / f"{self.name}.png"
            self.browser.picture(path)
            error.add_note("\n".join([f"a picture of the page is in {path}; its console said:",
                                      *self.browser.errors[-20:], *map(str, self.server.failed)]))
        self.browser.__exit__()
        self.server.__exit__()
        self.asked = browsing.requests(self.browser.log)
        self.failed = [*self.browser.lost, *self.server.failed]

    def show(self):
        """Open the notebook, wait until its kernel is ready, and clear all that an earlier run has left in it."""
        self.browser.open(f"{self.server.url}notebooks/index.html?path={self.name}.ipynb")
        self.browser.wait(f"{CELLS}.length === {len(self.cells)}", 120, "the notebook is shown")
        self.browser.wait("document.querySelector('.jp-Notebook-ExecutionIndicator')?.dataset.status === 'idle' && "
                          "document.querySelector('.jp-Toolbar-kernelName')?.textContent === 'Python (Pyodide)'",
                          SECONDS, "the kernel is ready")       # one that is not there yet counts as idle, too
        self.choose("Edit", "Clear Outputs of All Cells")
        self.browser.wait(f"{PROMPTS}.every(p => p === '[ ]:') && {OUTPUTS}.flat().length === 0", 60, "no outputs")

    def choose(self, menu, item):
        """Click on an item of a menu, as a reader does."""
        found = "[...document.querySelectorAll('{}')].find(e => e.textContent.trim().startsWith('{}'))"
        for last in (False, False, True):
            self.browser.click(found.format(".lm-MenuBar-item", menu), 60, f"there is a menu {menu}")
            try:
                self.browser.click(found.format(".lm-Menu-item:not(.lm-mod-disabled)", item), 10, f"one can {item}")
                return
            except TimeoutError:                        # the page was still being built, and took the menu away
                if last:
                    raise
                self.browser.press("Escape", 27)

    def run_all(self):
        """Choose "Run All Cells"; return prompts and outputs of the cells when all have run, or one has failed."""
        self.choose("Run", "Run All Cells")
        self.browser.wait(f"(p => p.some(t => /[0-9]/.test(t)) && !p.includes('[*]:'))({PROMPTS})", SECONDS,
                          "all cells have run")
        self.browser.wait(f"{OUTPUTS}.flat().every(o => o.pictures.every(width => width > 0))", 60, "pictures show")
        return self.browser.ask(PROMPTS), self.browser.ask(OUTPUTS)


def committed(cell):
    """Return what a cell of a file printed, and how many pictures it showed."""
    outputs = cell["outputs"]
    return ("".join(out["text"] for out in outputs if out["output_type"] == "stream" and out["name"] == "stdout"),
            sum("image/png" in out.get("data", {}) for out in outputs))


@pytest.mark.parametrize(("name", "slides"),
                         [("00_start_here", False), ("05_recurrent_net", True), ("06_clipping", True)])
def test_a_tutorial_runs_to_its_end_in_a_browser(name, slides, built, tmp_path):
    with Page(built, name, tmp_path) as page:
        page.show()
        prompts, outputs = page.run_all()
        assert {o["text"] for cell in outputs for o in cell if o["kind"] == STDERR} <= {FONTS}
        assert prompts == [f"[{count}]:" for count in range(1, len(page.cells) + 1)]
        figures = 0
        for cell, shown in zip(page.cells, outputs, strict=True):
            text, pictures = committed(cell)
            said = "".join(o["text"] for o in shown if o["kind"] == STDOUT)
            assert alike(said, text), f"{said}\ninstead of\n{text}"
            widths = [width for o in shown for width in o["pictures"]]
            assert len(widths) == pictures
            assert all(width > 200 for width in widths)
            figures += pictures
        assert figures > 0
        if slides:
            before = page.browser.wait(PICTURE, 60, "there is a picture below the slider")
            readout = page.browser.ask(READOUT)
            page.browser.drag("document.querySelector('.widget-slider .noUi-handle')", 40, 60, "there is a slider")
            page.browser.wait(f"{READOUT} !== {json.dumps(readout)}", 60, "the slider shows another value")
            page.browser.wait(f"(p => p && p !== {json.dumps(before)})({PICTURE})", 60, "the picture follows")
        page.browser.picture(tmp_path / f"{name}.png")
    assert page.failed == []
    assert browsing.outside(page.asked) == []
    assert [url for url in page.asked if "minigrad_lab-" in url]


def test_an_error_and_a_request_to_another_host_would_be_seen(built, tmp_path):
    with Page(built, "99_faulty", tmp_path) as page:
        page.show()
        _, (_, asked, failed) = page.run_all()
        assert [(o["kind"], o["text"]) for o in asked] == [(STDOUT, "asked\n")]
        assert [o["kind"] for o in failed] == [STDERR]
        assert "ZeroDivisionError: division by zero" in failed[0]["text"]
    assert browsing.outside(page.asked) == ["http://outside.example/"]
