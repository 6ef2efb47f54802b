"""What is below 0 is no norm: sentinels count as missing and are told, logarithms are not taken for norms."""

import json

import pytest

import minigrad as mg
from minigrad.cli import main
from minigrad.trace import read, readers

SENTINELS = {
    "log.csv": "step,grad_norm\n0,-1\n1,-1\n2,3.5\n3,-1.0\n4,nan\n",
    "log.jsonl": "".join(json.dumps({"step": k, "grad_norm": v}) + "\n" for k, v in enumerate([-1, -1, 3.5, -1.0])) +
                 '{"step": 4, "grad_norm": NaN}\n',
    "trainer_state.json": json.dumps({"log_history": [{"step": k, "grad_norm": v}
                                                      for k, v in enumerate([-1, -1.0, 3.5, -1, float("nan")])]}),
    "train.log": "".join(f"step {k} grad_norm: {v}\n" for k, v in enumerate([-1, -1.0, 3.5, -1, "nan"])),
    "chart.csv": '"Step","a - grad_norm","a - grad_norm__MIN","a - grad_norm__MAX"\n' + "".join(
        f"{k},{v},{v},{v}\n" for k, v in enumerate([-1, -1, 3.5, -1, "NaN"])),
}


def file(folder, text, name="log.csv"):
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", SENTINELS)
def test_a_norm_below_zero_is_missing_and_told(tmp_path, name):
    trace = read(file(tmp_path, SENTINELS[name], name))
    assert trace.column("step").tolist() == [2, 4]
    assert trace.column("norm_in")[0] == 3.5
    assert (trace.source.rows, trace.source.skipped, trace.source.malformed) == (2, 3, 0)
    note, = (note for note in trace.source.notes if "below 0" in note)
    assert note.startswith("3 values below 0 (first -1 in ")
    assert note in " ".join(str(trace.source).split())


@pytest.mark.parametrize("name", SENTINELS)
def test_where_all_are_below_zero_that_is_what_is_said(tmp_path, name):
    text = SENTINELS[name].replace("3.5", "-1").replace("nan", "-1").replace("NaN", "-1")
    with pytest.raises(ValueError, match="no norm in it: 5 values below 0"):
        read(file(tmp_path, text, name))


def test_of_one_parameter_alone_it_is_missing_too(tmp_path):
    trace = read(file(tmp_path, "step,grad_norm/a,grad_norm/b\n0,3,4\n1,-1,4\n"))
    assert trace.column("norm_in", stage=0).tolist() == [5.0, 4.0]
    assert trace.matrix().missing.tolist() == [[False, True], [False, False]]


def test_while_a_file_grows_they_are_counted_on(tmp_path):
    path = file(tmp_path, "step,grad_norm\n0,2\n1,-1\n")
    follower = readers.Follower(path)
    assert len(follower.poll()) == 1
    with open(path, "a") as opened:
        opened.write("2,-1\n3,4\n")
    assert follower.poll().column("step").tolist() == [3]
    assert follower.source.negative.startswith("2 values below 0 (first -1 in line 3)")


@pytest.mark.parametrize("names", ["log_grad_norm", "train/log_grad_norm", "grad_norm_log10", "ln_gnorm",
                                   "log_grad_norm/w"])
def test_a_logarithm_is_not_guessed_and_that_is_said(tmp_path, names):
    path = file(tmp_path, f"step,{names}\n0,-1.05\n1,0.5\n")
    if not names.endswith("/w"):
        with pytest.raises(ValueError, match=f"{names}: by the name a logarithm"):
            read(path)
        assert read(path, column=names).column("norm_in").tolist() == [0.5]
    else:
        with pytest.raises(ValueError, match="no column looks like a gradient norm"):
            read(path)


def test_beside_a_logarithm_the_norm_is_found(tmp_path):
    trace = read(file(tmp_path, "step,log_grad_norm,log/grad_norm\n0,-1.05,0.35\n"))
    assert trace.source.taken["norm"] == "log/grad_norm"


@pytest.mark.parametrize("word", ["log_grad_norm", "log grad norm", "log10-gnorm"])
def test_a_logarithm_in_a_text_is_not_guessed(tmp_path, word):
    with pytest.raises(ValueError, match=f"{word}: by the name a logarithm"):
        read(file(tmp_path, f"step 0 {word}: -1.05\nstep 1 {word}: 0.5\n", "train.log"))


@pytest.mark.parametrize("name", ["norm_in", "norm_out", "data"])
def test_columns_with_norms_below_zero_are_refused(name):
    with pytest.raises(ValueError, match=rf"column {name}: -1.0 at place 1 is no norm"):
        mg.NormTrace.from_columns({"norm_in": [1.0, 2.0, None], name: [0.5, -1.0, None]})


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_file_of_our_own_with_one_is_read_without_that_row(tmp_path, ending):
    path = tmp_path / f"t.{ending}"
    mg.NormTrace.from_columns({"norm_in": [1.0, 7.25, 3.0]}).save(path)
    path.write_text(path.read_text().replace("7.25", "-7.25"))
    trace = read(path)
    assert trace.column("norm_in").tolist() == [1.0, 3.0]
    assert "-7.25 at place 0 is no norm" in trace.source.reasons[0][1]


@pytest.mark.parametrize("command", ["summary", "threshold", "watch"])
def test_the_commands_say_so(tmp_path, command, capsys):
    path = file(tmp_path, SENTINELS["log.csv"])
    assert main([command, str(path), *(["--once"] if command == "watch" else [])]) in (0, None)
    out, err = capsys.readouterr()
    assert "3 values below 0" in " ".join((out + err).split())
