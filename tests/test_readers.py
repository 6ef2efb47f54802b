"""Files of the real layouts, in tests/logs: what is read of them, to the last number, and what is reported."""

import math
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
from minigrad.trace import read, readers
from minigrad.trace.readers import LAYOUTS, read_all

LOGS = Path(__file__).resolve().parent / "logs"
NAN, INF = math.nan, math.inf

# file: layout, steps, norms, losses, learning rates, lines without a norm
FILES = {
    "tensorboard.csv": ("tensorboard", [0, 10, 20, 30, 40], [4.125, 1.5625, NAN, 0.8203125, INF], None, None, 0),
    "wandb_history.csv": ("wandb-history", [10, 20], [3.25, 1.75], [2.5, 2.0], [5e-5, 4e-5], 2),
    "trainer_state.json": ("huggingface", [10, 20, 30, 40], [3.0625, NAN, INF, 1.25], [2.5, 0.0, 2.25, 2.0],
                           [4.8e-5, 3.6e-5, 2.4e-5, 1.2e-5], 2),
    "metrics.csv": ("lightning", [0, 50, 100], [5.0, 0.5, NAN], [2.5, 1.25, NAN], [0.001, 0.0005, 0.00025], 4),
    "fairseq.log": ("text", [99, 199, 499], [2.543, 1.507, 1.125], [11.521, 10.25, 9.125], [2.5e-5, 5e-5, 1.25e-4], 4),
    "fairseq_json.log": ("text", [99, 199], [2.543, 1.507], [11.521, 10.25], [2.5e-5, 5e-5], 1),
    "megatron.log": ("text", [10, 20, 30], [25.125, NAN, 3.25], [10.5, 9.25, 8.125], [1.5e-6, 3e-6, 4.5e-6], 3),
    "torchtitan.log": ("text", [1, 2, 3], [2.5, 1.75, 26.625], [8.125, 7.5, 7.0], None, 1),
    "openmmlab.log": ("text", [250, 400, 450], [7217.0347, INF, 35.25], [567.6875, 794.625, 101.5],
                      [6.88e-5, 6.9e-5, 6.93e-5], 0),
    "swin.log": ("text", [4123, 4133, 5004], [2.0382, 2.3143, 1.875], [6.3568, 5.5428, 6.0625],
                 [0.000166, 0.000166, 0.000169], 1),
    "llmc.log": ("text", [1, 2, 3], [15.3668, 14.5, 9.75], [11.009463, 10.75, 10.25], [8.57e-7, 1.71e-6, 2.57e-6], 2),
    "hugging_face_console.log": ("text", [0, 1, 2], [3.0625, NAN, 1.25], [2.5, 2.25, 2.0], [4.8e-5, 3.6e-5, 2.4e-5], 4),
    "savetxt.txt": ("table", [0, 1, 2], [4.0, 1.5, INF], [2.5, 2.0, NAN], None, 0),
    "spreadsheet.csv": ("table", [0, 1, 2], [12.25, 3.5, 0.75], [2.5, 2.25, 2.0], None, 0),
    "trainer.jsonl": ("jsonl", [0, 1, 3], [4.0, NAN, 0.5], [2.5, 2.0, 1.5], [0.1, 0.1, 0.05], 2),
    "history.json": ("json", [0, 1, 2], [4.0, 2.0, 1.0], [2.5, 2.0, 1.5], None, 0),
}


def same(got, expected):
    np.testing.assert_array_equal(got, np.full(len(got), NAN) if expected is None else expected)


@pytest.mark.parametrize("name", FILES)
def test_each_layout_is_recognised_and_read(name):
    layout, steps, norms, losses, rates, skipped = FILES[name]
    trace = read(LOGS / name)
    same(trace.column("step", stage=0), steps)
    for column, expected in (("norm_in", norms), ("norm_out", norms), ("loss", losses), ("lr", rates)):
        same(trace.column(column, stage=0), expected)
    source = trace.source
    assert (source.layout, source.rows, source.malformed, source.skipped) == (layout, len(norms), 0, skipped)
    assert trace.hooks() == ["backward"]
    assert [len(rows) for rows in trace.steps()] == [1] * len(norms)


@pytest.mark.parametrize("name", FILES)
def test_the_layout_may_be_named(name):
    layout = FILES[name][0]
    assert read(LOGS / name, layout=layout) == read(LOGS / name)


def test_what_was_measured_as_nan_is_told_from_what_is_not_there():
    rows = read(LOGS / "metrics.csv").select()
    assert np.isnan([rows[2].norm_in, rows[2].loss]).all()
    assert read(LOGS / "tensorboard.csv").select()[2].loss is None
    assert math.isnan(read(LOGS / "trainer_state.json").select()[1].norm_in)


def test_lightning_gives_rows_for_each_parameter():
    trace = read(LOGS / "metrics.csv")
    assert trace.parameters() == ["net.0.weight", "net.2.weight"]
    matrix = trace.matrix()
    same(matrix.values[0], [3.0, 0.5, NAN])
    same(matrix.values[1], [4.0, NAN, 1.0])
    assert matrix.missing.tolist() == [[False, False, False], [False, True, False]]
    same(trace.column("norm_in", parameter="net.2.weight"), [4.0, 1.0])
    same(trace.column("loss", parameter="net.0.weight"), [2.5, 1.25, NAN])
    assert set(trace.column("p", stage=0)) == {2.0}


def test_a_chart_of_wandb_holds_several_runs():
    traces = read_all(LOGS / "wandb_chart.csv")
    assert list(traces) == ["swift-sun-3", "lr-0.1 - clip"]
    first, second = traces.values()
    same(first.column("step"), [0, 10, 20])
    same(first.column("norm_in"), [3.5, 2.25, 1.125])
    same(second.column("step"), [0, 20, 30])
    same(second.column("norm_in"), [7.25, NAN, 0.5])
    assert (first.source.run, first.source.skipped) == ("swift-sun-3", 1)
    assert "1 point" in first.source.notes[0]
    assert not second.source.notes


@pytest.mark.parametrize("column", ["lr-0.1 - clip", "lr-0.1 - clip - train/grad_norm", "LR 0.1 clip"])
def test_a_run_of_a_chart_is_chosen_by_its_name(column):
    same(read(LOGS / "wandb_chart.csv", column=column).column("norm_in"), [7.25, NAN, 0.5])


def test_a_chart_is_not_read_as_one_run():
    message = r"wandb_chart.csv holds 2 runs: swift-sun-3, lr-0.1 - clip; .*column='swift-sun-3'"
    with pytest.raises(ValueError, match=message):
        read(LOGS / "wandb_chart.csv")


def test_a_trainer_state_without_norms_says_since_when_they_are_there():
    message = r"no grad_norm: transformers writes it from 4.38 on.*learning_rate, loss, step"
    with pytest.raises(ValueError, match=message):
        read(LOGS / "trainer_state_4_30.json")
    same(read(LOGS / "trainer_state_4_30.json", column="loss").column("norm_in"), [1.387])


@pytest.mark.parametrize(("name", "taken"), [
    ("wandb_history.csv", {"norm": "train/grad_norm", "step": "train/global_step", "loss": "train/loss",
                           "lr": "train/learning_rate"}),
    ("metrics.csv", {"norm": "grad_2.0_norm_total", "step": "step", "loss": "train_loss", "lr": "lr-Adam",
                     "parameters": "2 columns such as grad_2.0_norm/net.0.weight"}),
    ("fairseq.log", {"norm": "gnorm", "step": "num_updates", "loss": "loss", "lr": "lr"}),
    ("tensorboard.csv", {"norm": "Value", "step": "Step"}),
])
def test_the_guess_is_reported(name, taken):
    trace = read(LOGS / name)
    assert trace.source.taken == taken
    for text in taken.values():
        assert text in str(trace.source)


def test_every_layout_has_a_file_here_and_says_what_its_norms_are():
    own = {"minigrad-csv", "minigrad-jsonl", "minigrad-npz"}
    assert {layout for layout, *_ in FILES.values()} | own | {"wandb-chart"} == set(LAYOUTS)
    for name, layout in LAYOUTS.items():
        assert layout.name == name
        assert all((layout.title, layout.norms))


# ------------------------------------------------------------------------------------------------ our own

@pytest.fixture(scope="module")
def trace():
    found = mg.NormTrace(per_parameter=True)
    w = mg.tensor([0.0, 0.0], requires_grad=True)
    opt = mg.optim.SGD({"w": w}, lr=0.1, hooks=[mg.hooks.ClipNorm(1.0)], trace=found)
    for g in ([3.0, 4.0], [0.0, 1.0], [1e-300, 0.0]):
        w.grad = g
        opt.step(loss=1.5)
    return found


@pytest.mark.parametrize("ending", ["csv", "jsonl", "npz"])
@pytest.mark.parametrize("other", [None, "renamed.dat"])
def test_our_own_files_lose_nothing(trace, tmp_path, ending, other):
    path = tmp_path / f"a.{ending}"
    trace.save(path)
    if other:
        path = path.rename(tmp_path / other)
    found = read(path)
    assert found == trace
    assert (found.source.layout, found.source.malformed) == (f"minigrad-{ending}", 0)


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_bad_line_in_our_own_file_is_reported_and_the_others_are_read(trace, tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    trace.save(path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:4], "rubbish", *lines[4:], lines[-1][:40]]))
    found = read(path)
    assert found.rows == trace.rows
    assert [number for number, _ in found.source.reasons] == [5, len(lines) + 2]


@pytest.mark.parametrize("ending", ["csv", "jsonl", "npz"])
def test_columns_of_our_own_files_are_not_chosen(trace, tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    trace.save(path)
    with pytest.raises(ValueError, match="column= is for other files"):
        read(path, column="norm_out")


def test_our_own_csv_may_be_read_as_any_table(trace, tmp_path):
    path = tmp_path / "a.csv"
    trace.save(path)
    found = read(path, layout="table", column="norm_out")
    assert found.source.taken["norm"] == "norm_out"
    assert len(found) + found.source.skipped == len(trace)


def test_the_report_is_data_and_text():
    source = read(LOGS / "fairseq.log").source
    found = source.as_dict()
    assert (found["rows"], found["taken"]["step"]) == (3, "num_updates")
    assert str(source).splitlines()[0].endswith("fairseq.log: 3 rows, read as text")
    assert "4 lines without a norm" in str(source)
    assert readers.Source is type(source)
