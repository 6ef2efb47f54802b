"""``minigrad flow``: what it prints and writes, and what it refuses in one line."""

import json

import numpy as np
import pytest

from minigrad.cli import main
from minigrad.gradient_flow import nets


def run(capsys, *args):
    status = main(["flow", "--width", "16", "--batch", "4", *args])
    return status, *capsys.readouterr()


@pytest.mark.parametrize(("arch", "words"), [
    ("mlp", ["mlp of 6 layers, width 16, tanh, seed 0", "layers: 7 layers", "Theory: mean field of tanh"]),
    ("residual", ["residual of 6 blocks", "Residual", "mean field of x + V tanh(W x)"]),
    ("rnn", ["rnn of 6 time steps", "body: 6 steps", "spectral radius of W_hh"]),
    ("lstm", ["lstm of 6 time steps, width 16, seed 0", "|dL/dc|", "gates of LSTM"]),
    ("gru", ["gru of 6 time steps", "gates of GRU"]),
])
def test_every_architecture(capsys, arch, words):
    status, out, err = run(capsys, "--arch", arch, "--depth", "6")
    assert status == 0
    assert not err
    assert all(word in out for word in words)
    assert run(capsys, "--arch", arch, "--depth", "6")[1] == out
    assert run(capsys, "--arch", arch, "--depth", "6", "--seed", "1")[1] != out


@pytest.mark.parametrize("activation", nets.PHI)
def test_every_activation(capsys, activation):
    status, out, _ = run(capsys, "--activation", activation, "--depth", "5")
    assert status == 0
    assert f", {activation}, seed 0" in out
    assert f"mean field of {activation}: " in out


@pytest.mark.parametrize(("init", "gain", "expected"), [
    ("default", "2", 4 / 3), ("normal", "2", 4.0), ("xavier", "2", 4.0), ("he", "2", 8.0), ("orthogonal", "2", 4.0),
    ("identity", "2", 4.0)])
def test_initialisations_have_their_variances(capsys, init, gain, expected):
    args = ("--init", init, "--gain", gain, "--depth", "12", "--width", "40", "--bias-std", "0.5", "--json")
    found = json.loads(run(capsys, *args)[1])
    prediction = found["series"][0]["prediction"]
    assert prediction["sigma_w2"] == pytest.approx(expected, rel=0.05)
    assert prediction["sigma_b2"] == pytest.approx(0.25, rel=0.2)


def test_gain_alone_means_normal_weights_without_biases(capsys):
    prediction = json.loads(run(capsys, "--gain", "1.5", "--depth", "9", "--json")[1])["series"][0]["prediction"]
    assert prediction["sigma_w2"] == pytest.approx(2.25, rel=0.1)
    assert prediction["sigma_b2"] == 0
    assert json.loads(run(capsys, "--depth", "9", "--json")[1])["series"][0]["prediction"]["sigma_b2"] > 0


def test_recurrent_weights_begin_gate_by_gate():
    net = nets.Described("lstm", 5, 8, 3, start="orthogonal", gain=0.5, rng=np.random.default_rng(0))
    w = net.body.weight_hh_l0.data
    for k in range(0, 32, 8):
        np.testing.assert_allclose(w[k:k + 8] @ w[k:k + 8].T, 0.25 * np.eye(8), atol=1e-12)


def test_the_known_case_of_flat_bars(capsys):
    status, out, _ = run(capsys, "--activation", "relu", "--gain", "0.70710678", "--width", "100", "--depth", "30",
                         "--lr", "0.1", "--rows", "6")
    assert status == 0
    assert "vanishing: 0.3" in out
    assert "weight-gradient bars look flat" in out
    assert "update/data" in out
    assert out.count(" Linear") <= 8
    assert "gain 1.41" in out


@pytest.mark.parametrize("ending", ["svg", "png", "pdf"])
def test_a_picture(capsys, tmp_path, ending):
    path = tmp_path / f"flow.{ending}"
    status, out, _ = run(capsys, "--depth", "5", "-o", str(path))
    assert status == 0
    assert f"Figure: {path}" in out
    assert path.stat().st_size > 1000
    json.loads(run(capsys, "--depth", "5", "-o", str(path), "--json")[1])


@pytest.mark.parametrize(("args", "words"), [
    (["--arch", "lstm", "--activation", "relu"], "--activation relu: an lstm has its own"),
    (["--arch", "rnn", "--activation", "gelu"], "an rnn has tanh or relu"),
    (["--arch", "gru", "--activation", "relu"], "--activation relu: a gru has its own"),
    (["--seed", "-1"], "--seed -1"), (["-o", "flow.jpg"], "flow.jpg: a picture is written as .png, .svg or .pdf"),
    (["-o", "/nowhere/at/all.svg", "--depth", "2"], "/nowhere/at: there is no such folder"),
])
def test_refusals_in_one_line(capsys, args, words):
    status, _, err = run(capsys, *args)
    assert status == 2
    assert words in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("args", [["--depth", "0"], ["--arch", "cnn"], ["--gain", "nan"], ["--width", "x"]])
def test_arguments_out_of_range(capsys, args):
    with pytest.raises(SystemExit) as stopped:
        run(capsys, *args)
    assert stopped.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_help_fits_into_a_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main(["flow", "--help"])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_help_has_examples_that_run(capsys):
    with pytest.raises(SystemExit):
        main(["flow", "--help"])
    shown = [line.split()[1:] for line in capsys.readouterr().out.splitlines() if line.startswith("  minigrad flow")]
    assert len(shown) >= 3
    for args in shown:
        args = [*args[:args.index("-o")], *args[args.index("-o") + 2:]] if "-o" in args else args
        assert main([*args, "--width", "8", "--batch", "2"]) == 0
