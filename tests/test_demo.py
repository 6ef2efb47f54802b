"""The character RNN: the two runs of a seed differ by the clip alone, and what is recorded is what happened."""

import json
import math

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

import minigrad as mg
from minigrad import hooks, optim, plot
from minigrad.experiments import char_rnn
from minigrad.experiments.char_rnn import CharRNN, Config, Result, Run
from minigrad.tasks import TextError, zen

nan, inf = math.nan, math.inf
TINY = {"steps": 6, "seq_len": 5, "hidden": 4, "batch": 3, "seeds": 2, "clip": 0.5}
KINDS = [{}, {"optimizer": "adam"}, {"rho": 3.0, "lr": 30.0}, {"rho": 0.0, "text": "abracadabra"}]


@pytest.fixture(scope="module", params=KINDS, ids=str)
def result(request):
    return char_rnn.run(Config(**TINY, **request.param))


# --------------------------------------------------------------------------------- what is run

def test_each_seed_is_run_without_and_with_clipping(result):
    assert [(r.seed, r.clipped) for r in result.runs] == [(0, False), (0, True), (1, False), (1, True)]
    assert [r.name for r in result.of(True)] == ["seed0-clip", "seed1-clip"]
    for r in result.runs:
        assert r.losses.shape == (6,)
        assert r.time_norms.shape == (6, 5)
        assert (r.trace.clip_stage() is not None) == r.clipped
        assert r.trace.column("loss", stage=0).tolist() == r.losses.tolist()


def test_the_two_runs_of_a_seed_start_from_the_same_weights_and_batch(result):
    """Loss, norm and gradient through time of the first update are equal to the bit; another seed's are not."""
    first = [(r.losses[0], r.trace.rows[0].norm_in, *r.time_norms[0]) for r in result.runs]
    assert first[0] == first[1]
    assert first[2] == first[3]
    assert first[0] != first[2]


def test_with_a_threshold_never_reached_the_two_runs_are_one():
    """So that weights and batches are the same at every update, and not just at the first."""
    plain, clipped = char_rnn.run(Config(**{**TINY, "clip": 1e6, "seeds": 1})).runs
    assert np.array_equal(plain.losses, clipped.losses)
    assert np.array_equal(plain.time_norms, clipped.time_norms)


def test_no_norm_after_clipping_exceeds_the_threshold(result):
    for r in result.of(True):
        before, after = (r.trace.column(name, hook="ClipNorm") for name in ("norm_in", "norm_out"))
        assert len(after) == 6
        assert (after <= 0.5 * (1 + 1e-12)).all()
        np.testing.assert_allclose(after, np.minimum(before, 0.5), rtol=1e-12)
        assert r.trace.share_clipped() == np.mean(before > 0.5)
    assert any(r.trace.share_clipped() > 0 for r in result.of(True))


def test_the_same_config_gives_the_same_bits(result):
    again = char_rnn.run(result.config)
    for a, b in zip(result.runs, again.runs, strict=True):
        assert a.losses.tobytes() == b.losses.tobytes()
        assert a.time_norms.tobytes() == b.time_norms.tobytes()
        assert a.trace == b.trace


def test_a_seed_does_not_depend_on_the_seeds_before_it():
    config = Config(**TINY)
    alone = char_rnn.train(config, 1, True)
    assert alone.trace == char_rnn.run(config).runs[3].trace


def test_progress_and_finished_runs_are_told():
    told = []
    result = char_rnn.run(Config(**TINY), updated=told.append, finished=told.append)
    assert [t if t == 1 else t.name for t in told] == [
        *[1] * 6, "seed0-plain", *[1] * 6, "seed0-clip", *[1] * 6, "seed1-plain", *[1] * 6, "seed1-clip"]
    assert [t for t in told if t != 1] == result.runs


# ------------------------------------------------------------------------- is the measurement right

def by_hand(w, x, y):
    """Loss, gradients by name, and ||dL/dh_t|| of the net, written out without a tape."""
    T, B, _ = x.shape
    states = [np.zeros((B, len(w["cell.weight_hh"])))]
    for t in range(T):
        a = x[t] @ w["cell.weight_ih"].T + w["cell.bias_ih"] + states[-1] @ w["cell.weight_hh"].T + w["cell.bias_hh"]
        states.append(np.tanh(a))
    logits = np.stack(states[1:]) @ w["out.weight"].T + w["out.bias"]
    shares = np.exp(logits - logits.max(axis=2, keepdims=True))
    shares /= shares.sum(axis=2, keepdims=True)
    rows, columns = np.indices((T, B))
    loss = -np.log(shares[rows, columns, y]).mean()
    d_logits = shares.copy()
    d_logits[rows, columns, y] -= 1
    d_logits /= T * B
    g = {name: np.zeros_like(v) for name, v in w.items()}
    carried, norms = np.zeros_like(states[0]), np.zeros(T)
    for t in reversed(range(T)):
        h, before = states[t + 1], states[t]
        g["out.weight"] += d_logits[t].T @ h
        g["out.bias"] += d_logits[t].sum(axis=0)
        dh = d_logits[t] @ w["out.weight"] + carried
        norms[t] = math.sqrt((dh ** 2).sum())
        da = dh * (1 - h ** 2)
        g["cell.weight_ih"] += da.T @ x[t]
        g["cell.weight_hh"] += da.T @ before
        g["cell.bias_ih"] += da.sum(axis=0)
        g["cell.bias_hh"] += da.sum(axis=0)
        carried = da @ w["cell.weight_hh"]
    return loss, g, norms


@pytest.mark.parametrize("clipped", [False, True])
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("extra", [{}, {"rho": 3.0}, {"seq_len": 1}, {"batch": 1, "hidden": 1}])
def test_losses_norms_and_the_gradient_through_time_equal_those_by_hand(extra, seed, clipped):
    """A whole training run by hand, from the same generator: forward, backward through time, clip, SGD."""
    config = Config(**{**TINY, "lr": 2.0, **extra})
    run = char_rnn.train(config, seed, clipped)
    rng = np.random.default_rng(seed)
    w = {name: np.array(p.data) for name, p in CharRNN(config.task, config.hidden, config.rho, rng).named_parameters()}
    acted = False
    for step in range(config.steps):
        loss, g, norms = by_hand(w, *config.task.sample(rng))
        length = math.sqrt(math.fsum(float(v) ** 2 for a in g.values() for v in a.ravel()))
        assert run.losses[step] == pytest.approx(loss, rel=1e-12)
        np.testing.assert_allclose(run.time_norms[step], norms, rtol=1e-11)
        assert run.trace.column("norm_in", stage=0)[step] == pytest.approx(length, rel=1e-11)
        factor = min(1.0, config.clip / length) if clipped else 1.0
        acted = acted or factor < 1
        w = {name: w[name] - 2.0 * factor * g[name] for name in w}
    assert acted == clipped


def test_the_recurrent_matrix_has_the_spectral_radius_asked_for():
    net = CharRNN(Config().task, 64, 1.5, np.random.default_rng(0))
    assert np.abs(np.linalg.eigvals(net.cell.weight_hh.data)).max() == pytest.approx(1.5, rel=1e-12)


def test_the_last_updates_are_left_out_of_nothing():
    """Every update is on record, also in a run that is thrown out: nothing is dropped, nothing is made up."""
    config = Config(**{**TINY, "steps": 12, "lr": 1e308})
    run = char_rnn.train(config, 0, False)
    assert len(run.trace.select(stage=0)) == 12
    assert not np.isfinite(run.losses).all()
    assert run.diverged


# -------------------------------------------------------------------------------------- config

REFUSED = [
    *[({name: value}, f"{name} = {value!r}{why}: it is a whole number >= 1")
      for name in ("steps", "seq_len", "hidden", "batch", "seeds")
      for value, why in ((0, " is out of range"), (-1, " is out of range"), (1.5, ""), (2.0, ""))],
    *[({name: value}, f"{name} = {value!r} is out of range: it is a number > 0{more}")
      for name, more in (("clip", ""), ("lr", ", or none")) for value in (0, -1.0, nan, inf)],
    *[({"rho": value}, f"rho = {value!r} is out of range: it is a number >= 0") for value in (-0.1, nan, inf)],
    ({"optimizer": "adagrad"}, "optimizer = 'adagrad': it is one of sgd, adam"),
    *[({"steps": value}, f"steps = {value!r}: it is a whole number >= 1") for value in (nan, inf, "many")],
]


@pytest.mark.parametrize(("values", "message"), REFUSED)
def test_a_config_out_of_range_is_refused_by_name(values, message):
    with pytest.raises(ValueError) as caught:
        Config(**values)
    assert str(caught.value) == message


@pytest.mark.parametrize("text", ["", "abc", "a" * 100])
def test_a_text_of_no_use_is_refused_before_anything_is_run(text):
    with pytest.raises(TextError):
        Config(text=text)


def test_the_defaults_are_the_zen_and_a_learning_rate_per_optimizer():
    assert (Config().text, Config().lr, Config(optimizer="adam").lr, Config(lr=0.3).lr) == (zen(), 1.5, 0.01, 0.3)


def test_the_config_as_json_can_be_given_back():
    config = Config(**TINY)
    record = json.loads(config.as_json())
    assert (record.pop("characters"), record.pop("alphabet")) == (856, 45)
    assert Config(**record) == config


@pytest.mark.parametrize(("text", "guessing", "counting"), [
    ("ab" * 10, math.log(2), math.log(2)),
    ("aaab" * 5, math.log(2), 0.75 * math.log(4 / 3) + 0.25 * math.log(4)),
    ("abcd" * 5, math.log(4), math.log(4)),
    (zen(), math.log(45), -sum(zen().count(c) / 856 * math.log(zen().count(c) / 856) for c in sorted(set(zen())))),
])
def test_the_references_are_the_entropies(text, guessing, counting):
    references = Config(text=text, seq_len=3).references
    assert list(references) == ["guessing", "counting letters"]
    assert references["guessing"] == pytest.approx(guessing, rel=1e-14)
    assert references["counting letters"] == pytest.approx(counting, rel=1e-12)


# ------------------------------------------------------------------------------------- summary

def made(seed, clipped, losses, norms=(1.0,)):
    """A run with these losses and gradient norms, clipped at 1, without any training."""
    trace, w = mg.NormTrace(), mg.tensor([0.0], requires_grad=True)
    pipeline = [hooks.NonFinite("propagate"), *([hooks.ClipNorm(1.0)] if clipped else [])]
    opt = optim.SGD([w], lr=1e-300, hooks=pipeline, trace=trace)
    for norm in norms:
        w.grad = [norm]
        opt.step()
    return Run(seed, clipped, trace, np.ones((len(losses), 3)), np.array(losses, float), bar=2.0)


GOOD, BAD, LOST = [3.0, 1.0, 1.0], [3.0, 3.0, 3.0], [3.0, 1.0, nan]
VERDICTS = [
    # losses without clipping, losses with it, norms; counts, and what is said
    ([BAD, GOOD], [GOOD, GOOD], [9, 0.5], "1 of 2", "0 of 2", ": clipping helped (it acted on 50% of the steps)."),
    ([LOST, BAD], [GOOD, LOST], [9, 9, 9, 0], "2 of 2", "1 of 2", ": clipping helped (it acted on 75% of the steps)."),
    ([GOOD], [BAD], [9], "0 of 1", "1 of 1",
     ": clipping did harm (it acted on 100% of the steps, where a threshold is but a smaller learning rate)."),
    ([GOOD], [[0.5] * 3], [9], "0 of 1", "0 of 1",
     ": nothing needed rescuing (it acted on 100% of the steps, where a threshold is but a smaller learning rate; "
     "mean final loss 1.67 without, 0.50 with)."),
    ([BAD, GOOD], [LOST, GOOD], [9], "1 of 2", "1 of 2",
     ": clipping did not help (it acted on 100% of the steps, where a threshold is but a smaller learning rate)."),
    ([BAD], [BAD], [0.5], "1 of 1", "1 of 1", ": the threshold was never reached, so clipping did nothing here."),
    ([GOOD], [], [9], "0 of 1", "0 of 0", "; nothing to compare yet."),
]


@pytest.mark.parametrize(("plain", "clipped", "norms", "lost", "lost_clipped", "said"), VERDICTS)
def test_the_verdict_counts_what_it_says(plain, clipped, norms, lost, lost_clipped, said):
    runs = [made(k, c, v, norms) for c, group in ((False, plain), (True, clipped)) for k, v in enumerate(group)]
    assert char_rnn.verdict(Result(Config(), runs)) == (
        f"Verdict: without clipping {lost} runs diverged, with clipping at 1 {lost_clipped}{said}")


SUMMARIES = [
    # losses, final, best, diverged
    (GOOD, 5 / 3, 5 / 3, False),
    ([5.0] * 20 + [1.0] * 20, 1.0, 1.0, False),
    ([1.0] * 20 + [5.0] * 20, 5.0, 1.0, True),
    ([2.0] * 3, 2.0, 2.0, True),                        # no better than counting letters
    ([3.0, inf], inf, inf, True),
    ([nan, nan], nan, nan, True),
    ([1.0] * 20 + [nan] * 5, nan, 1.0, True),
]


@pytest.mark.parametrize(("losses", "final", "best", "diverged"), SUMMARIES)
def test_final_best_and_diverged(losses, final, best, diverged):
    run = made(0, False, losses)
    assert run.final == pytest.approx(final, nan_ok=True)
    assert run.best == pytest.approx(best, nan_ok=True)
    assert run.diverged is diverged


@pytest.mark.parametrize(("norms", "largest"), [([1, 5, 2], 5), ([1, inf], inf), ([1, nan, 2], nan), ([inf, nan], nan)])
def test_the_largest_norm_does_not_hide_what_is_not_finite(norms, largest):
    assert made(0, False, GOOD, norms).largest_norm == pytest.approx(largest, nan_ok=True)


@pytest.mark.parametrize("norms", [[[9], [1], [2]], [[1], [nan], [5]], [[1], [5], [inf]], [[1, inf], [1e300], [3]]])
def test_the_seed_shown_is_the_one_with_the_largest_norm(norms):
    result = Result(Config(), [made(k, False, GOOD, v) for k, v in enumerate(norms)])
    sizes = [max(inf if not math.isfinite(n) else n for n in v) for v in norms]
    assert char_rnn.most_telling(result) == sizes.index(max(sizes))


def test_the_table_has_a_row_per_run(result):
    lines = char_rnn.table(result)
    assert len(lines) == 2 + len(result.runs) + 2
    for line, r in zip(lines[2:], result.runs):
        for number in (r.final, r.best, r.largest_norm):
            assert f"{number:.4g}" in line.split()
        assert line.split()[-1] == ("yes" if r.diverged else "no")
        assert (f"{r.trace.share_clipped():.0%}" in line.split()) == r.clipped
    for value in result.config.references.values():
        assert f"{value:.3f}" in lines[-2]


# -------------------------------------------------------------------------------------- figure

def test_the_figure_sets_the_two_kinds_side_by_side_on_the_same_scales(result):
    fig = char_rnn.figure(result)
    FigureCanvasAgg(fig).draw()
    axes = np.array(fig.axes[:6]).reshape(3, 2)
    for row, word in zip(axes, ("Loss", "Gradient norm per step", "Gradient through time")):
        assert row[0].get_ylim() == row[1].get_ylim()
        assert row[0].get_title().startswith(word)
        assert "no clipping" in row[0].get_title()
        assert "clipped at 0.5" in row[1].get_title()
    seed = char_rnn.most_telling(result)
    plain, clipped = (next(r for r in result.of(c) if r.seed == seed) for c in (False, True))
    for column, r in enumerate((plain, clipped)):
        values = axes[2, column].images[0].get_array()
        assert values.shape == (5, 6)
        good, top = r.time_norms > 0, axes[2, column].images[0].get_clim()[1]
        expected = np.minimum(np.log10(r.time_norms[good]), top)            # a thousandth may lie above the scale
        np.testing.assert_allclose(np.asarray(values).T[good], expected, rtol=1e-12)
    assert axes[2, 0].images[0].get_clim() == axes[2, 1].images[0].get_clim()
    assert [t.get_text() for t in axes[1, 1].get_legend().get_texts()][:2] == ["before clipping", "after clipping"]
    assert len([line for line in axes[0, 0].lines if len(line.get_xdata()) == 6]) == 2       # a curve per seed


def test_the_same_result_gives_the_same_file(tmp_path):
    result = char_rnn.run(Config(**TINY))
    for k in range(2):
        plot.save(char_rnn.figure(result), tmp_path / f"{k}.png")
    assert (tmp_path / "0.png").read_bytes() == (tmp_path / "1.png").read_bytes()


# --------------------------------------------------------------------------------- the real thing

@pytest.mark.slow
def test_by_default_the_clipped_runs_learn_more_than_to_count_letters():
    result = char_rnn.run(Config(seeds=2))
    assert sum(not r.diverged for r in result.of(True)) == 2
    assert all(r.final < 0.5 * r.bar for r in result.of(True))
    assert all(r.trace.share_clipped() > 0 for r in result.of(True))
    assert max(r.largest_norm for r in result.of(False)) > 2 * result.config.clip
