"""The report: verdicts that claim no more than was measured, remedies, tables, HTML, dicts."""

import json
import math
import re
import subprocess
import sys

import numpy as np
import pytest
from flows import Last, batch, mlp, sequences

import minigrad as mg
from minigrad import nn
from minigrad.gradient_flow.remedies import Facts
from minigrad.gradient_flow.rows import Row, Series
from minigrad.gradient_flow.verdict import judge
from minigrad.nn import functional as F


def series_of(deltas, gradients=None, kind="layer", **columns):
    """Return a series of rows with given deltas, made without any net."""
    gradients = gradients or [None] * len(deltas)
    rows = [Row(k + 1, str(k), "Linear", activation=1.0, delta=d, gradient=g,
                **{name: values[k] for name, values in columns.items()})
            for k, (d, g) in enumerate(zip(deltas, gradients))]
    return Series("layers", kind, rows).complete()


FACTS = Facts(normalised=False, residual=False)
WOBBLE = 10.0 ** np.random.default_rng(0).normal(0, 0.02, 12)


@pytest.mark.parametrize(("deltas", "kind", "words"), [
    (10.0 ** (0.5 * np.arange(12)) * WOBBLE, "vanishing", "vanishing: 0.50 decades a layer"),
    (10.0 ** (-0.5 * np.arange(12)) * WOBBLE, "exploding", "exploding: 0.50 decades a layer"),
    (WOBBLE, "healthy", "healthy: delta"),
    (10.0 ** (0.05 * np.arange(12)) * WOBBLE, "healthy", "shrinks by 0.049 decades"),
    (10.0 ** np.cumsum(np.random.default_rng(1).normal(0.1, 1.0, 12)), "undecided", "several seeds, would tell"),
    (10.0 ** np.cumsum(np.random.default_rng(5).normal(0.0, 0.4, 12)), "undecided", "healthy is within 2 either way"),
    ([1e-3, 1e-2, 1e-1], "too few", "too few layers for a slope: 3, and it takes 4"),
    ([1.0], "too few", "too few layers for a slope: 1, and it takes 4"),
    ([None] * 5, "no gradient", "frozen or detached"),
    ([1.0, math.nan, 1.0, 1.0, 1.0], "nan", "NaN from layer 2 on"),
    ([math.inf, 1e300, 1e200, 1e100, 1.0], "overflow", "inf from layer 1 on"),
    ([0.0, 0.0, 1e-310, 1e-200, 1e-100, 1.0], "underflow", "the end of the range of floats"),
    ([0.0, 1.0, 1.0, 1.0, 1.0], "cut", "not by underflow"),
])
def test_verdicts(deltas, kind, words):
    verdict = judge(series_of([None if d is None else float(d) for d in deltas]), FACTS)
    assert verdict.kind == kind
    assert words in verdict.text


def test_a_verdict_says_its_interval_and_how_far_delta_went():
    verdict = judge(series_of((10.0 ** (0.5 * np.arange(12))).tolist()), FACTS)
    assert "95 % 0.50 to 0.50" in verdict.text
    assert "a factor of 3.2e-06" in verdict.text
    assert "delta is 3.16e+05 at layer 12 and 1 at layer 1" in verdict.text


def test_what_bars_show_is_said_only_where_it_was_measured():
    deltas = (10.0 ** (0.5 * np.arange(12))).tolist()
    assert "bars look flat" in judge(series_of(deltas, [1.0] * 12), FACTS).text
    assert "because" not in judge(series_of(deltas, [1.0] * 12), FACTS).text     # the activations do not shrink
    assert "go along, by 0.50" in judge(series_of(deltas, deltas), FACTS).text
    assert "go the other way" in judge(series_of(deltas, deltas[::-1]), FACTS).text
    assert "weight" not in judge(series_of(deltas), FACTS).text
    assert "flat" not in judge(series_of(WOBBLE.tolist(), WOBBLE.tolist()), FACTS).text


def test_remedies_depend_on_what_was_measured():
    vanishing = (10.0 ** (0.5 * np.arange(12))).tolist()
    plain = judge(series_of(vanishing), FACTS)
    assert any("nn.Residual" in t for t in plain.help)
    assert any("nn.LayerNorm" in t for t in plain.help)
    assert any("clipping" in t for t in plain.futile)
    assert not any("Clip" in t for t in plain.help)
    has_both = judge(series_of(vanishing), Facts(normalised=True, residual=True))
    assert not any("nn.Residual" in t or "LayerNorm" in t for t in has_both.help)
    exploding = judge(series_of(vanishing[::-1]), FACTS)
    assert any("hooks.ClipNorm" in t for t in exploding.help)
    assert not exploding.futile
    saturated = judge(series_of(vanishing, saturated=[0.1] * 11 + [0.7]), FACTS)
    assert saturated.help[0].startswith("70% of the entries of layer 12 are saturated")
    assert judge(series_of(WOBBLE.tolist()), FACTS).help == []
    assert judge(series_of(WOBBLE.tolist(), dead=[0.6] + [0.0] * 11), FACTS).help[0].startswith("60% of the units of")


@pytest.mark.parametrize(("phi", "sigma_w2", "sigma_b2", "gain"), [
    (nn.Tanh, 1.0, 0.05, "1.33"), (nn.Tanh, 3.0, 0.05, "1.33"), (nn.ReLU, 0.5, 0.0, "1.41"), (nn.Tanh, 0.5, 0.0, "1,")])
def test_the_gain_that_helps_is_that_of_the_critical_line(phi, sigma_w2, sigma_b2, gain):
    found = mg.flow(mlp(30, 100, phi, sigma_w2, sigma_b2), F.cross_entropy, batch(100))
    assert f"gain {gain}" in found.help[0]
    assert "chi_1 = 1" in found.help[0]


@pytest.mark.parametrize(("phi", "gain"), [(nn.ReLU, 2.0), (nn.ReLU, 3.0), (nn.Identity, 1.5), (nn.GELU, 3.0),
                                           (nn.Tanh, 1.5), (nn.Tanh, 3.0)])
def test_residual_connections_are_offered_against_explosion_only_where_they_help(phi, gain):
    net = mlp(30, 100, phi, gain ** 2)
    sick, parts = mg.flow(net, F.cross_entropy, batch(100)), list(net)
    blocks = nn.Sequential(*(nn.Residual(*parts[k:k + 2]) for k in range(0, 60, 2)), parts[-1])
    with_them = mg.flow(blocks, F.cross_entropy, batch(100)).slope
    offered = [text for text in sick.help if "residual" in text]
    assert bool(offered) == (phi is nn.Tanh and gain == 3.0)
    assert bool(offered) == (with_them < sick.slope)
    for text in offered:
        assert float(re.search(r"grow by ([0-9.]+) decades", text)[1]) == pytest.approx(with_them, rel=0.2)


@pytest.mark.parametrize(("phi", "variance"), [(nn.ReLU, 1e20), (nn.ReLU, 9.0), (nn.Tanh, 9.0), (nn.Sigmoid, 4000.0),
                                               (nn.Hardtanh, 9.0)])
def test_smaller_weights_are_always_offered_against_explosion(phi, variance):
    found = mg.flow(mlp(40, 64, phi, variance), F.cross_entropy, batch(64))
    assert found.kind in ("exploding", "overflow")
    assert any(text.startswith(("smaller weights", "initialise the weights with gain")) for text in found.help)
    assert not any("BatchNorm" in text for text in found.help)


def test_dividing_the_weights_as_advised_heals():
    net = mlp(40, 64, nn.Hardtanh, 9.0)                             # theory has no gain to offer
    sick = mg.flow(net, F.cross_entropy, batch(64))
    by = float(re.search(r"divided by ([0-9.]+)", sick.help[-3])[1])
    for part in list(net)[:-1:2]:
        part.weight.data = part.weight.data / by
    assert sick.kind == "exploding"
    assert abs(mg.flow(net, F.cross_entropy, batch(64)).slope) < sick.slope


def test_a_small_net_of_which_decades_may_be_lost_is_not_called_healthy():
    rng, parts = np.random.default_rng(0), []
    for _ in range(8):
        layer = nn.Linear(6, 6, rng=rng)
        nn.init.kaiming_normal_(layer.weight, rng=rng)
        parts += [layer, nn.ReLU()]
    found = mg.flow(nn.Sequential(*parts), lambda h: (h * h).sum(), rng.normal(size=(16, 6)))
    assert abs(7 * found.slope) < 1
    assert 7 * found.interval[0] < -2
    assert found.kind == "undecided"


def test_following_the_advice_heals():
    net, rng = mlp(30, 100, nn.ReLU, 0.5), np.random.default_rng(3)
    sick = mg.flow(net, F.cross_entropy, batch(100))
    gain = float(re.search(r"gain=([0-9.]+)", sick.help[0])[1])
    for part in list(net)[:-1:2]:
        nn.init.lecun_normal_(part.weight, gain=gain, rng=rng)
    healed = mg.flow(net, F.cross_entropy, batch(100))
    assert (sick.kind, healed.kind) == ("vanishing", "healthy")
    assert abs(healed.slope) < 0.03


@pytest.mark.parametrize(("kind", "words"), [("RNN", "orthogonal"), ("LSTM", "forget gate"), ("GRU", "update gate")])
def test_remedies_in_time(kind, words):
    net = Last(getattr(nn, kind)(3, 8, rng=np.random.default_rng(0)))
    found = mg.flow(net, F.cross_entropy, sequences(60))
    assert found.kind == "vanishing"
    assert any(words in text for text in found.help)
    assert any("clipping" in text for text in found.verdicts[0].futile)


def test_an_open_forget_gate_heals():
    net = Last(nn.LSTM(3, 16, rng=np.random.default_rng(0)))
    before = mg.flow(net, F.cross_entropy, sequences(40))
    bias = np.array(net.body.bias_hh_l0.data)
    bias[16:32] = 5.0
    net.body.bias_hh_l0.data = bias
    assert mg.flow(net, F.cross_entropy, sequences(40)).slope > before.slope / 3


def test_a_profile_that_bends_is_said_to():
    logs = np.where(np.arange(40) < 10, 0.3 * (10 - np.arange(40)), 0.02 * (10 - np.arange(40))) - 3
    series = series_of((10.0 ** logs * np.tile([1.01, 0.99], 20)).tolist())
    verdict = judge(series, FACTS)
    assert series.bend.place == 10
    assert ("from layer 40 back to 11 delta grows by 0.020 decades a layer, from there to layer 1 it grows by 0.30"
            in verdict.text)
    assert "bends" not in judge(series_of((10.0 ** (0.5 * np.arange(12)) * WOBBLE).tolist()), FACTS).text


# --------------------------------------------------------------------------------------------- forms

def test_the_table_is_aligned_and_short():
    found = mg.flow(mlp(60, 6), F.cross_entropy, batch(6), lr=0.1)
    lines = found.table().split("\n")
    assert lines[0] == "layers: 61 layers"
    assert len(lines) == 2 + 40 + 1
    assert sum("... 21 more layers; flow.table(rows=None) shows all" in line for line in lines) == 1
    assert len({len(line) for line in lines[1:] if "..." not in line}) == 1
    assert lines[2].split()[:5] == ["1", "0", "Linear", "+", "tanh"]
    assert lines[-1].split()[:2] == ["61", "120"]
    assert len(found.table(rows=None).split("\n")) == 63
    assert len(found.table(rows=3).split("\n")) == 6
    assert str(found) == repr(found) == found.text()
    assert found.verdict in str(found)


def test_every_number_of_a_row_is_in_the_table():
    found = mg.flow(mlp(4, 6), F.cross_entropy, batch(6), lr=0.1)
    for line, row in zip(found.table().split("\n")[2:], found.rows):
        for value in (row.activation, row.delta, row.gradient, row.update_to_data):
            assert f"{value:.3g}" in line.split()


def test_small_shares_are_never_shown_as_none():
    found = series_of([1.0] * 4, saturated=[0.0, 1e-5, 0.05, 0.5])
    from minigrad.gradient_flow.report import text_of

    ends = [line.split("  ")[-1].strip() for line in text_of(found, None).split("\n")[2:]]
    assert ends == ["0", "< 0.1%", "5.0%", "50%"]


def test_the_dict_is_strict_json_and_complete():
    found = mg.flow(mlp(5, 6), lambda h, y: h.sum() * np.nan, batch(6))
    text = json.dumps(found.as_dict(), allow_nan=False)
    back = json.loads(text)
    assert back["loss"] == "NaN"
    assert back["kind"] == "nan"
    assert back["series"][0]["rows"][0]["delta"] == "NaN"
    healthy = json.loads(json.dumps(mg.flow(Last(nn.LSTM(3, 4)), F.cross_entropy, sequences(6)).as_dict(),
                                    allow_nan=False))
    assert [s["unit"] for s in healthy["series"]] == ["step", "layer"]
    assert set(healthy["series"][0]["rows"][0]) >= {"index", "delta", "activation", "cell", "log10_delta"}
    assert healthy["series"][0]["slope"]["layers"] == 6
    assert healthy["modules"][0]["name"] == "body"


def test_the_notebook_shows_a_table_and_the_verdict():
    class Odd(nn.Linear):
        """Its name in the net is written by people, and must not become markup."""

    net = nn.ModuleDict({"<b>": Odd(3, 3)})
    net.forward = lambda x: net["<b>"](x)
    page = mg.flow(net, lambda h: (h * h).sum(), np.ones((2, 3)))._repr_html_()
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    assert page.count("<tr>") == 2
    assert "too few layers" in page
    long = mg.flow(mlp(60, 4, sigma_w2=0.3), F.cross_entropy, batch(4))._repr_html_()
    assert long.count("<tr>") == 42
    assert "21 more layers" in long
    assert "What would help" in long


def test_it_is_imported_when_it_is_first_asked_for():
    code = ("import sys, minigrad as mg; assert not any('gradient_flow' in m or 'theory' in m or 'matplotlib' in m "
            "for m in sys.modules); assert callable(mg.flow); from minigrad.gradient_flow import flow; "
            "import minigrad.plot; assert mg.flow is flow and callable(mg.plot.flow); "
            "assert mg.GradientFlow.__name__ in dir(mg)")
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
