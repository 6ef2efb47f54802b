"""``minigrad summary`` and ``minigrad threshold``: what the library says, as text and JSON; bad files cost one line."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commanding import call, files, refusal

from minigrad.commands import modules
from minigrad.commands.common import as_options
from minigrad.trace import read
from minigrad.trace.readers import LAYOUTS


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Work in a folder with a file of each kind."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    files(tmp_path)
    return tmp_path


# ------------------------------------------------------------------------------------- every command

NAMES = [module.__name__.rpartition(".")[2] for module in modules()]


def test_every_file_among_the_commands_that_is_one_is_listed(capsys):
    assert {"demo", "plot", "summary", "threshold", "watch"} <= set(NAMES)
    assert call("--help") == 0
    out = capsys.readouterr().out
    assert all(f"\n    {name}" in out for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_help_has_an_example_and_fits_the_terminal(name, capsys):
    assert call(name, "--help") == 0
    out = capsys.readouterr().out
    assert f"\n  minigrad {name}" in out[out.index("example"):]
    assert max(map(len, out.splitlines())) <= 110


def test_help_loads_neither_pictures_nor_readers_nor_experiments():
    code = ("import sys; from minigrad import cli; cli.parser(); "
            "print(*[n for n in ('matplotlib', 'tqdm', 'minigrad.plot', 'minigrad.trace.readers', 'minigrad.nn', "
            "'minigrad.experiments', 'minigrad.theory') if n in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60,
                          cwd=Path(__file__).parent.parent)
    assert (done.stdout, done.stderr, done.returncode) == ("\n", "", 0)


# ------------------------------------------------------------------------------------------ summary

@pytest.mark.parametrize("name", ["own.csv", "train.log"])
def test_summary_prints_what_the_library_says(name, capsys):
    assert call("summary", name) == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"{name}: ")
    assert out.endswith(f"\n\n{read(name).summary()}\n")
    assert err == ""


def test_summary_of_several_files_and_of_a_file_with_several_runs(capsys):
    assert call("summary", "own.csv", "chart.csv", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [(f["file"], f["run"]) for f in found] == [("own.csv", "own"), ("chart.csv", "red"), ("chart.csv", "blue")]
    own = read("own.csv").summary().as_dict()
    assert {key: found[0][key] for key in own} == own
    assert found[2]["source"]["layout"] == "wandb-chart"
    assert found[2]["norms"][0]["percentiles"]["max"] == 6.0


def test_summary_goes_on_after_a_file_that_cannot_be_read(capsys):
    assert call("summary", "missing.csv", "train.log", "empty.csv") == 2
    out, err = capsys.readouterr()
    assert "Gradient norm of 150 steps" in out
    assert err == ("minigrad summary: missing.csv: there is no such file\n"
                   "minigrad summary: empty.csv is empty\n")


def test_json_is_json_also_where_norms_are_not_finite(capsys):
    with open("bad.csv", "w") as file:
        file.write("step,grad_norm,loss\n0,nan,nan\n1,inf,inf\n2,nan,nan\n")
    assert call("summary", "bad.csv", "--json") == 0
    found, = json.loads(capsys.readouterr().out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert found["norms"][0]["percentiles"]["max"] is None
    assert found["loss"] == ["nan", "nan"]


def test_lines_that_cannot_be_read_are_told_beside_the_result(capsys):
    assert call("summary", "damaged.csv") == 0
    out, err = capsys.readouterr()
    assert "Gradient norm of 2 steps" in out
    assert err.startswith("minigrad summary: damaged.csv: 2 lines left out; line 3: ")
    assert len(err.splitlines()) == 1


def test_options_for_reading_reach_the_reader(capsys):
    assert call("summary", "other.csv", "--column", "pears", "--step", "time") == 0
    assert "0 to 29" in capsys.readouterr().out
    with open("odd.log", "w") as file:
        file.writelines(f"it={k} G<{k + 1}>\n" for k in range(5))
    assert call("summary", "odd.log", "--pattern", r"it=(?P<step>\d+) G<(?P<norm>\d+)>", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["norms"][0]["percentiles"]["max"] == 5.0


# ---------------------------------------------------------------------------------------- threshold

def test_threshold_prints_what_the_library_says(capsys):
    assert call("threshold", "train.log", "--try", "0.01", "--try", "7") == 0
    assert capsys.readouterr().out.endswith(f"\n\n{read('train.log').advise([0.01, 7.0])}\n")


def test_threshold_as_json_has_number_reason_and_basis(capsys):
    assert call("threshold", "own.csv", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    advice = read("own.csv").advise()
    assert found["recommended"] == advice.recommended
    assert found["basis"]["where"] == "in front of ClipNorm (stage 2)"
    assert (found["basis"]["nan"], found["basis"]["inf"]) == (1, 1)
    assert any(c["why"] == "in use" for c in found["candidates"])


def test_too_little_data_is_an_answer_and_no_error(capsys):
    assert call("threshold", "damaged.csv", "--json") == 0
    assert json.loads(capsys.readouterr().out)["recommended"] is None


def test_one_threshold_is_for_one_run(capsys):
    said = refusal(capsys, "threshold", "chart.csv")
    assert "2 runs: 'red', 'blue'" in said
    assert "--column" in said
    assert call("threshold", "chart.csv", "--column", "blue") == 0


@pytest.mark.parametrize("bad", ["0", "-1", "nan", "inf", "x", ""])
def test_a_threshold_to_try_is_a_number_above_zero(bad, capsys):
    assert "--try" in refusal(capsys, "threshold", "train.log", f"--try={bad}")


# ---------------------------------------------------------------------------------------- bad files

BAD = [
    ("missing.csv", "no such file"), ("empty.csv", "empty"), ("header.csv", "no norm"), ("folder", "folder"),
    ("picture.png", "picture"), ("empty.csv/below", "empty.csv/below"),
    ("prose.txt", "Known are " + ", ".join(LAYOUTS)), ("other.csv", "time, apples, pears"),
]


@pytest.mark.parametrize("command", ["summary", "threshold", "plot", "watch"])
@pytest.mark.parametrize(("name", "says"), BAD)
def test_a_bad_file_costs_one_line_and_leaves_nothing_behind(command, name, says, here, capsys):
    before = sorted(here.iterdir())
    said = refusal(capsys, command, name, *(["-o", "new.png"] if command == "plot" else []))
    assert says in said
    assert name.split("/")[0] in said
    assert sorted(here.iterdir()) == before


@pytest.mark.parametrize("command", ["summary", "threshold", "plot", "watch"])
@pytest.mark.parametrize(("options", "says"), [
    (["--column", "apple"], "apples"), (["--pattern", "("], "regular expression"), (["--pattern", "x"], "norm"),
    (["--layout", "jsonn"], "jsonl"), (["--step", "when"], "time")])
def test_a_bad_option_costs_one_line_that_speaks_of_options(command, options, says, capsys):
    said = refusal(capsys, command, "other.csv", *options)
    assert says in said
    assert "column=" not in said


@pytest.mark.parametrize("command", ["threshold", "watch"])
def test_one_file_too_many_is_told_by_the_command(command, capsys):
    assert refusal(capsys, command, "a.csv", "b.csv") == (f"unrecognized arguments: b.csv (see minigrad {command} "
                                                          f"--help)")


@pytest.mark.parametrize("command", ["summary", "threshold", "plot", "watch"])
def test_a_file_is_needed(command, capsys):
    assert "FILE" in refusal(capsys, command)


def test_a_file_that_may_not_be_read(monkeypatch, capsys):
    from minigrad.trace import readers

    def denied(path, **wanted):
        raise PermissionError(13, "Permission denied", path)
    monkeypatch.setattr(readers, "read_all", denied)
    assert refusal(capsys, "summary", "own.csv") == "own.csv: Permission denied"


def test_a_file_that_does_not_fit_into_memory(monkeypatch, capsys):
    from minigrad.trace import readers

    def too_large(path, **wanted):
        raise MemoryError
    monkeypatch.setattr(readers, "read_all", too_large)
    assert "memory" in refusal(capsys, "threshold", "own.csv")


@pytest.mark.parametrize(("message", "expected"), [
    ("choose by column=, as in column='gnorm'", "choose by --column, as in --column 'gnorm'"),
    ("Say column=, or pattern= with", "Say --column, or --pattern with"), ("step=5 loss=2", "--step 5 --loss 2"),
    ("a=b, column", "a=b, column")])
def test_keywords_are_told_as_options(message, expected):
    assert as_options(message) == expected


def test_many_rows_are_read_and_judged(capsys):
    values = np.exp(np.random.default_rng(0).normal(size=200_000))
    with open("long.csv", "w") as file:
        file.write("step,grad_norm\n")
        file.writelines(f"{k},{v!r}\n" for k, v in enumerate(values.tolist()))
    assert call("threshold", "long.csv", "--json") == 0
    assert json.loads(capsys.readouterr().out)["basis"]["used"] == 200_000
