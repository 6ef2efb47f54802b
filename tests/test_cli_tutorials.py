"""``minigrad tutorials``: the list, the copies, what is never overwritten, and that a wheel carries the notebooks."""

import errno
import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from commanding import call, refusal

from minigrad.course import places

ROOT = Path(__file__).resolve().parents[1]
TUTORIALS = ROOT / "tutorials"
NAMES = sorted(path.name for path in TUTORIALS.glob("[0-9][0-9]_*.ipynb"))
FIRST = NAMES[0]
SETUPTOOLS = importlib.util.find_spec("setuptools") and int(importlib.metadata.version("setuptools").split(".")[0])


def tree(folder):
    """The files below a folder, as a dict of name -> bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


# ----------------------------------------------------------------------------------- the list

@pytest.mark.parametrize(("options", "lang"), [((), "en"), (("--lang", "zh"), "zh")])
def test_the_list_is_read_from_the_notebooks(options, lang, capsys):
    assert call("tutorials", "--list", *options) == 0
    out, err = capsys.readouterr()
    assert err == ""
    heads, goals = out.splitlines()[::2], out.splitlines()[1::2]
    assert [head[:2] for head in heads] == [name[:2] for name in NAMES]
    for name, head, goal in zip(NAMES, heads, goals):
        path = TUTORIALS / ("" if lang == "en" else lang) / name
        source = "".join(json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"])
        title = re.match(r"# \d\d · (.+)", source)[1]
        assert re.fullmatch(rf"\d\d  {re.escape(title)}(  \(.*\))?", head)
        assert re.fullmatch(r"    \S.*", goal)
        words = [word for word in re.findall(r"\w+", goal) if len(word) > 1]
        assert words
        assert all(word in source for word in words)
        assert not re.search(r"[`$*\\]", goal)


def test_bare_it_lists_and_says_what_comes_next(capsys):
    call("tutorials", "--list")
    listed = capsys.readouterr().out
    assert call("tutorials") == 0
    out = capsys.readouterr().out
    assert out.startswith(listed + "\n")
    assert out.splitlines()[-1].startswith("minigrad tutorials --copy course ")
    call("tutorials", "--lang", "zh")
    assert "minigrad tutorials --copy course --lang zh " in capsys.readouterr().out


def test_where_the_terminal_has_no_chinese_it_is_escaped():
    done = subprocess.run([sys.executable, "-m", "minigrad", "tutorials", "--lang", "zh"], cwd=ROOT, timeout=60,
                          capture_output=True, text=True, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\u68af\\u5ea6" in done.stdout           # 梯度


@pytest.mark.parametrize("number", ["00", "0"])
def test_one_can_be_asked_for(number, capsys):
    assert call("tutorials", "--list", number) == 0
    assert capsys.readouterr().out.splitlines()[0] == "00  Start here  (about ten seconds)"


def test_one_that_there_is_not_is_refused(capsys, tmp_path):
    for options in ((), ("--copy", tmp_path / "new")):
        assert refusal(capsys, "tutorials", "0", "77", *options).startswith("there is no tutorial 77; there are 00, ")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("option", ["--solutions", "--force"])
def test_what_only_a_copy_can_heed_is_refused_without(option, capsys):
    assert refusal(capsys, "tutorials", option) == f"{option} goes with --copy DIR"


# -------------------------------------------------------------------------------- the copies

@pytest.mark.parametrize("lang", places.LANGUAGES)
@pytest.mark.parametrize("solutions", [False, True])
def test_copies_are_what_the_course_has(lang, solutions, tmp_path, capsys):
    home = TUTORIALS if lang == "en" else TUTORIALS / lang
    folder = tmp_path / "deep" / "course"
    assert call("tutorials", "--copy", folder, "--lang", lang, *["--solutions"] * solutions) == 0
    expected = {name: (home / name).read_bytes() for name in NAMES}
    if solutions:
        expected |= {os.path.join("solutions", name): (home / "solutions" / name).read_bytes() for name in NAMES}
    assert tree(folder) == expected
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith(f"{len(expected)} notebooks copied to {folder}.\n")
    assert f"jupyter lab {folder} " in out
    assert f"minigrad check {folder / FIRST} " in out


def test_some_can_be_chosen(tmp_path, capsys):
    assert call("tutorials", "00", "--copy", tmp_path / "my course") == 0
    assert list(tree(tmp_path)) == [os.path.join("my course", FIRST)]
    out = capsys.readouterr().out
    assert out.startswith("1 notebook copied to ")
    assert f"jupyter lab '{tmp_path / 'my course'}' " in out


def test_what_a_learner_wrote_is_not_overwritten(tmp_path, capsys):
    """Neither it nor anything else: the refusal comes before the first write."""
    (tmp_path / FIRST).write_text("mine")
    (tmp_path / "notes.txt").write_text("mine, too")
    before = tree(tmp_path)
    line = refusal(capsys, "tutorials", "--copy", tmp_path, "--solutions")
    assert line.startswith(f"{tmp_path / FIRST} is there and differs; nothing was copied: ")
    assert "--force" in line
    assert tree(tmp_path) == before
    assert sorted(os.listdir(tmp_path)) == sorted([FIRST, "notes.txt"])
    assert call("tutorials", "--copy", tmp_path, "--force") == 0
    assert tree(tmp_path)[FIRST] == (TUTORIALS / FIRST).read_bytes()
    assert (tmp_path / "notes.txt").read_text() == "mine, too"


def test_how_many_are_in_the_way_is_said(tmp_path, capsys):
    call("tutorials", "00", "--copy", tmp_path, "--solutions")
    for path in (tmp_path / FIRST, tmp_path / "solutions" / FIRST):
        path.write_text("mine")
    capsys.readouterr()
    assert "(2 such notebooks)" in refusal(capsys, "tutorials", "--copy", tmp_path, "--solutions")


def test_what_is_the_same_is_left_alone(tmp_path, capsys):
    call("tutorials", "--copy", tmp_path)
    capsys.readouterr()
    times = [os.stat(tmp_path / name).st_mtime_ns for name in NAMES]
    (tmp_path / FIRST).unlink()
    assert call("tutorials", "--copy", tmp_path) == 0
    assert capsys.readouterr().out.startswith(f"1 notebook copied to {tmp_path}, {len(NAMES) - 1} there already.\n")
    assert [os.stat(tmp_path / name).st_mtime_ns for name in NAMES[1:]] == times[1:]


def test_where_it_cannot_be_written_is_one_line(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    line = refusal(capsys, "tutorials", "--copy", tmp_path / "file")
    assert f"({tmp_path / 'file'}: is a file); name another folder" in line
    assert "name another folder" in refusal(capsys, "tutorials", "--copy", tmp_path / "file" / "below")
    (tmp_path / "course" / FIRST).mkdir(parents=True)
    line = refusal(capsys, "tutorials", "--copy", tmp_path / "course")
    assert FIRST in line
    assert "directory" in line


def test_what_cannot_be_finished_is_named_by_its_folder_and_leaves_nothing(tmp_path, monkeypatch, capsys):
    """The unfinished file has another name each time, which nobody knows."""
    def full(file):
        raise OSError(errno.ENOSPC, "No space left on device", next(str(p) for p in tmp_path.iterdir()))

    monkeypatch.setattr(os, "fsync", full)
    line = refusal(capsys, "tutorials", "--copy", tmp_path, "00")
    assert line == (f"--copy {tmp_path} cannot be written ({tmp_path}: No space left on device); "
                    "name another folder")
    assert os.listdir(tmp_path) == []


def test_no_name_is_no_folder(monkeypatch, tmp_path, capsys):
    """As of a variable of the shell that is not set."""
    monkeypatch.chdir(tmp_path)
    assert refusal(capsys, "tutorials", "--copy", "") == "--copy needs the name of a folder; this one is ."
    assert os.listdir(tmp_path) == []


def test_without_the_notebooks_it_says_where_it_looked(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(places, "FIRST", "no_such_notebook.ipynb")
    line = refusal(capsys, "tutorials")
    assert "neither among the files of minigrad-lab nor beside" in line
    assert "install minigrad-lab again" in line


# ---------------------------------------------------------------------------------- the wheel

def test_the_distribution_names_every_notebook():
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["data-files"]
    carried = {f"{place}/{path.name}": path
               for place, globs in table.items() for glob in globs for path in ROOT.glob(glob)}
    expected = {f"{places.SHARED}/{path.relative_to(TUTORIALS).as_posix()}": path for path in TUTORIALS.rglob("*.ipynb")
                if not any(part.startswith((".", "_")) for part in path.relative_to(TUTORIALS).parts)}
    assert carried == expected
    assert len(expected) == 4 * len(NAMES)


def folder_in(environment):
    """Where the minigrad of another path of modules finds the course."""
    program = "from minigrad.course import places; print(places.folder())"
    path = os.pathsep.join([str(environment), *filter(None, sys.path)])
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "PYTHONPATH": path})
    assert done.stderr == ""
    return Path(done.stdout.rstrip("\n"))


@pytest.mark.parametrize("listed", ["../../../share/minigrad/tutorials", "share/minigrad/tutorials",
                                    "../gone/tutorials"])
def test_what_a_wheel_brought_is_found_wherever_it_was_put(listed, tmp_path):
    """In an environment, below the prefix; by `pip install --target`, beside the package, whatever the list says."""
    site = tmp_path / "lib" / "python3" / "site-packages"
    info = site / "minigrad_lab-0.1.0.dist-info"
    info.mkdir(parents=True)
    shutil.copytree(ROOT / "minigrad", site / "minigrad", ignore=shutil.ignore_patterns("__pycache__"))
    share = (site / ("share/minigrad/tutorials" if "gone" in listed else listed)).resolve()
    share.mkdir(parents=True)
    (share / FIRST).write_text("{}")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: minigrad-lab\nVersion: 0.1.0\n")
    recorded = listed.replace("../gone", "../../share/minigrad")
    (info / "RECORD").write_text(f"minigrad/__init__.py,,\n{recorded}/{FIRST},,\n")
    assert folder_in(site) == share


def test_a_checkout_finds_its_own_whatever_is_installed(tmp_path):
    info = tmp_path / "minigrad_lab-9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: minigrad-lab\nVersion: 9\n")
    (info / "RECORD").write_text(f"minigrad/__init__.py,,\nshare/minigrad/tutorials/{FIRST},,\n")
    (tmp_path / "share/minigrad/tutorials").mkdir(parents=True)
    (tmp_path / "share/minigrad/tutorials" / FIRST).write_text("{}")
    assert folder_in(f"{tmp_path}{os.pathsep}{ROOT}") == TUTORIALS


@pytest.mark.skipif(not SETUPTOOLS or SETUPTOOLS < 77, reason="building a wheel offline needs setuptools 77 here")
def test_a_wheel_carries_the_course(tmp_path):
    work = tmp_path / "work"
    for part in ("minigrad", "tutorials"):
        shutil.copytree(ROOT / part, work / part, ignore=shutil.ignore_patterns("__pycache__"))
    for part in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / part, work)
    build = "import sys, setuptools.build_meta as b; b.build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, tmp_path], cwd=work, check=True, capture_output=True, timeout=300)
    wheel, = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    prefix = f"minigrad_lab-0.1.0.data/data/{places.SHARED}/"
    carried = sorted(name.removeprefix(prefix) for name in names if name.startswith(prefix))
    assert carried == sorted(f"{part}{name}" for part in ("", "solutions/", "zh/", "zh/solutions/") for name in NAMES)
    assert not [name for name in names if name.startswith(("tutorials/", "tests/", "build/"))]
