"""What is asked of a trace: columns, matrices per parameter and layer, ratios, times; and traces of whole columns."""

import math
import pickle

import numpy as np
import pytest
from tracing import INF, NAN, bits, make_row, sgd, trace_of

import minigrad as mg
from minigrad import nn, optim
from minigrad.hooks import Accumulate, ClipNorm, ClipValue, NonFinite
from minigrad.norms import norm
from minigrad.trace import Row
from minigrad.trace.columns import BLOCK

G = [([3.0, 4.0], [[0.0, 12.0]]), ([0.3, 0.4], None)]


def run(*hooks, gradients=G, **options):
    return sgd(gradients, *hooks, trace=mg.NormTrace(per_parameter=True), names=("0.weight", "0.bias"), **options)


# ---------------------------------------------------------------------------------------------- the table

def test_rows_are_a_sequence():
    rows = [make_row(step=k, norm_in=None if k % 3 else float(k), reason=str(k % 7)) for k in range(2 * BLOCK + 5)]
    trace = trace_of(*rows[:10])
    trace.append(rows[10])
    trace.rows.append(rows[11])
    trace.rows.extend(rows[12:])
    assert len(trace) == len(trace.rows) == len(rows)
    assert list(trace) == list(trace.rows) == rows
    assert trace.rows == rows
    assert trace.rows == trace_of(*rows).rows
    assert trace.rows[5:9] == rows[5:9]
    assert trace.rows[::-1000] == rows[::-1000]
    assert (trace.rows[0], trace.rows[-1], trace.rows[BLOCK]) == (rows[0], rows[-1], rows[BLOCK])
    assert isinstance(trace.rows[3], Row)
    with pytest.raises(IndexError):
        trace.rows[len(rows)]


def test_a_measured_nan_is_not_what_is_not_applicable():
    trace = trace_of(make_row(norm_in=NAN, loss=None), make_row(norm_in=None, loss=INF))
    assert bits(trace) == bits([make_row(norm_in=NAN, loss=None), make_row(norm_in=None, loss=INF)])
    assert trace.given("norm_in").tolist() == [True, False]
    assert np.isnan(trace.column("norm_in")).all()
    assert trace != trace_of(make_row(norm_in=None, loss=None), make_row(norm_in=None, loss=INF))
    assert len(trace.select(norm_in=None)) == 1
    assert bits(pickle.loads(pickle.dumps(trace))) == bits(trace)


@pytest.mark.parametrize("wrong", [{"step": "three"}, {"step": 1.5}, {"norm_in": "5"}, {"loss": [1.0]}, {"nan": NAN}])
def test_rows_that_do_not_fit_are_refused_all_of_them(wrong):
    trace = trace_of(make_row())
    with pytest.raises(TypeError, match=f"{next(iter(wrong))}=.* in a row of hook h is no "):
        trace.extend([make_row(), make_row(**wrong)])
    assert trace == trace_of(make_row())
    trace.append(make_row(step=np.int64(2), loss=1, norm_in=np.float32(0.5), reason=7))
    assert bits(trace.rows[1:]) == bits([make_row(step=2, loss=1.0, norm_in=0.5, reason="7")])


def test_a_hook_that_notes_something_odd_is_named_and_the_step_is_undone():
    def odd(grads, ctx):
        ctx.note(threshold="high")
        return grads

    w = mg.tensor([1.0], requires_grad=True)
    opt = optim.SGD([w], lr=0.5, hooks=[odd], trace=mg.NormTrace())
    w.grad = [1.0]
    with pytest.raises(TypeError, match=r"threshold='high' in a row of hook odd is no number.*my_threshold"):
        opt.step()
    assert (w.tolist(), opt.updates) == ([1.0], 0)


@pytest.mark.parametrize(("wanted", "text"), [
    ({"hook": "ClipNrom"}, "no row has hook='ClipNrom'; there are 'ClipNorm'"),
    ({"hook": "zzz"}, "there are 'backward', 'ClipNorm', 'update'"),
    ({"parameter": "0.wieght"}, "there are '0.weight'"), ({"status": "passed"}, "there are 'pass'"),
    ({"group": "head"}, "no row has group='head'"), ({"outcome": "steps"}, "'step'"),
    ({"place": "grad"}, "'gradient'")])
def test_a_text_that_no_row_has_is_refused_with_its_neighbours(wanted, text):
    trace = run(ClipNorm(1.0))
    for ask in (trace.select, lambda **wanted: trace.column("norm_in", **wanted), trace.calls):
        with pytest.raises(ValueError, match=text):
            ask(**wanted)
    assert mg.NormTrace().select(**wanted) == []


def test_what_might_have_been_there_is_not_refused():
    trace = run(ClipNorm(1.0))
    assert trace.select(status="skip") == trace.select(outcome="raise") == trace.select(hook="flush") == []
    assert trace.select(stage=7) == trace.select(norm_in="many") == []
    with pytest.raises(ValueError, match=r"no rows per parameter.*per_parameter=True"):
        sgd([[1.0]]).column("norm_in", parameter="a")


def test_micro_batches_are_the_rows_of_stage_0():
    trace = sgd([[3.0, 4.0], [6.0, 8.0], [0.0, 5.0], [0.0, 1.0]], Accumulate(2), ClipNorm(1.0))
    assert trace.column("norm_in", stage=0).tolist() == [5.0, 10.0, 5.0, 1.0]
    assert trace.column("norm_in", hook="ClipNorm").tolist() == [7.5, 3.0]
    assert trace.calls(stage=0).tolist() == [0, 1, 2, 3]
    assert trace.calls(hook="ClipNorm").tolist() == [1, 3]
    assert [len(step) for step in trace.steps()] == [2, 4, 2, 4]


def test_angles_are_in_degrees():
    trace = sgd([[3.0, 0.0], [2.0, 2.0]], ClipValue(1.0), ClipNorm(9.0), update_hooks=[lambda u, ctx: {"a": -u["a"]}])
    assert trace.angles(stage=1) == pytest.approx([0, 0], abs=2e-6)
    assert trace.angles(stage=3) == pytest.approx([180, 180], abs=2e-6)
    assert sgd([[3.0, 1.0]], ClipValue(1.0)).angles(stage=1) == pytest.approx([45 - math.degrees(math.atan(1 / 3))])


# ----------------------------------------------------------------------------------------------- matrices

def test_a_matrix_per_parameter():
    m = run(ClipNorm(1.0)).matrix()
    assert m.names == ["0.weight", "0.bias"]
    assert m.steps.tolist() == [0, 1]
    np.testing.assert_array_equal(m.values, [[5.0, 0.5], [12.0, NAN]])
    assert m.missing.tolist() == [[False, False], [False, True]]


def test_nan_zero_and_missing_are_three_things():
    m = run(NonFinite("propagate"), gradients=[([1.0, NAN], [[0.0, 0.0]]), ([INF, 1.0], None)]).matrix()
    np.testing.assert_array_equal(m.values, [[NAN, INF], [0.0, NAN]])
    assert m.missing.tolist() == [[False, False], [False, True]]


@pytest.mark.parametrize("p", [1, 2, 3.5, 200, INF])
@pytest.mark.parametrize("scale", [1.0, 1e-200, 1e200, 5e-324])
def test_the_norm_of_a_layer_is_that_of_its_parameters_together(p, scale):
    rng = np.random.default_rng(0)
    grads = {f"{layer}.{name}": rng.normal(size=5) * scale
             for layer in ("0", "body.1") for name in ("weight", "bias")}
    params = {name: mg.tensor(np.zeros(5), requires_grad=True) for name in grads}
    trace = mg.NormTrace(per_parameter=True)
    opt = optim.SGD(params, lr=1.0, hooks=[ClipNorm(INF, p=p)], trace=trace)
    for name, w in params.items():
        w.grad = grads[name]
    opt.step()
    assert trace.layers() == trace.matrix(by="layer").names == ["0", "body.1"]
    with np.errstate(under="ignore"):
        expected = [norm([g for name, g in grads.items() if name.startswith(layer)], p) for layer in trace.layers()]
    assert trace.matrix(by="layer", stage=1).values[:, 0] == pytest.approx(expected, rel=1e-13, abs=5e-324)


def test_layers_with_what_is_not_finite_or_missing():
    gradients = [([3.0, 4.0], [[0.0, 12.0]]), ([0.3, 0.4], None), (None, [[INF, NAN]]), (None, [[INF, 1.0]])]
    trace = run(NonFinite("propagate"), gradients=gradients)
    m = trace.matrix(by="layer")
    np.testing.assert_array_equal(m.values, [[13.0, 0.5, NAN, INF]])
    assert not m.missing.any()
    assert trace.matrix("zero", by="layer").values.tolist() == [[1, 0, 0, 0]]
    assert trace.matrix("nan", by="layer").values.tolist() == [[0, 0, 1, 0]]
    assert trace.matrix("coefficient", by="layer").values[0, :2].tolist() == [1.0, 1.0]


def test_by_a_function_or_the_groups_of_the_optimizer():
    trace = run(ClipNorm(1.0))
    for by in ({"all": ["0.weight", "0.bias"]}, lambda name: "all"):
        assert trace.matrix(by=by).names == ["all"]
        assert trace.matrix(by=by).values.tolist() == [[13.0, 0.5]]
    assert trace.matrix(by={"biases": ["0.bias"]}).missing.tolist() == [[False, True]]
    with pytest.raises(ValueError, match=r"no rows of 'bias'"):
        trace.matrix(by={"biases": ["bias"]})


@pytest.mark.parametrize(("ask", "error", "text"), [
    (lambda t: t.matrix(by="layers"), ValueError, "'parameter', 'layer'"),
    (lambda t: t.matrix("norms"), KeyError, "norm_in"), (lambda t: t.matrix("hook"), KeyError, "norm_in"),
    (lambda t: t.matrix("cosine", by="layer"), ValueError, "by='parameter'"),
    (lambda t: t.matrix(stage=7), ValueError, "in stage 7"),
    (lambda t: mg.NormTrace().matrix(), ValueError, "per_parameter=True"),
    (lambda t: sgd([[1.0]]).ratios(by="layer"), ValueError, "per_parameter=True")])
def test_no_such_matrix(ask, error, text):
    with pytest.raises(error, match=text):
        ask(run(ClipNorm(1.0)))


# ------------------------------------------------------------------------------------------------- ratios

@pytest.mark.parametrize("options", [{}, {"update_hooks": [lambda updates, ctx: updates]}, {"momentum": 0.0}])
def test_the_ratio_of_update_to_data(options):
    """w = (1, 1), (1, 1); the update is -0.5 g; then the data is what the first update left."""
    trace = run(**options)
    first, second = np.array([1 - 1.5, 1 - 2.0]), np.array([[1.0, 1 - 6.0]])
    assert trace.column("data", hook="update") == pytest.approx([2.0, norm(first)])
    assert trace.ratios() == pytest.approx([6.5 / 2, 0.25 / norm(first)])
    m = trace.ratios(by="parameter")
    assert m.names == ["0.weight", "0.bias"]
    assert m.values == pytest.approx(np.array([[2.5 / math.sqrt(2), 0.25 / norm(first)], [6 / math.sqrt(2), NAN]]),
                                     nan_ok=True)
    assert m.missing.tolist() == [[False, False], [False, True]]
    assert trace.ratios(by="layer").values == pytest.approx(trace.ratios()[None])
    assert norm(second) > 1
    assert not trace.given("data", stage=0).any()


@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam, optim.AdamW, optim.RMSprop, optim.Adagrad])
@pytest.mark.parametrize("hooked", [False, True])
def test_the_data_are_those_before_the_update(kind, hooked):
    """Measured from outside: what the parameters were and what they became; small ones are joined, and one is 0-d."""
    net = nn.Sequential(nn.Linear(3, 4, rng=np.random.default_rng(0)), nn.Linear(4, 2, rng=np.random.default_rng(1)))
    scale, rng, trace = mg.tensor(1.5, requires_grad=True), np.random.default_rng(2), mg.NormTrace(per_parameter=True)
    params = {**dict(net.named_parameters()), "scale": scale}
    opt = kind(params, lr=0.1, trace=trace, **({"weight_decay": 0.1} if kind is optim.AdamW else {}),
               update_hooks=[ClipNorm(0.05)] if hooked else [])
    for step in range(3):
        for p in params.values():
            p.grad = rng.normal(size=p.shape)
        before = {name: p.data.copy() for name, p in params.items()}
        opt.step()
        moved = {name: p.data - before[name] for name, p in params.items()}
        row = trace.select(hook="update", step=step)[0]
        assert row.data == pytest.approx(norm(before.values()), rel=1e-14)
        assert row.norm_out == pytest.approx(norm(moved.values()), rel=1e-12)
        m = trace.ratios(by="parameter")
        assert m.values[:, step] == pytest.approx([norm([moved[n]]) / norm([before[n]]) for n in m.names], rel=1e-11)


def test_data_of_zero_and_updates_that_do_not_come():
    trace = mg.NormTrace()
    for data, update in (([0.0], [1.0]), ([0.0], [0.0]), ([2.0], [1.0])):
        trace.record({"w": [1.0]}, data={"w": data}, updates={"w": update})
    np.testing.assert_array_equal(trace.ratios(), [INF, NAN, 0.5])
    assert mg.NormTrace().ratios().shape == (0,)


# ----------------------------------------------------------------------------------------- whole columns

def test_of_whole_columns():
    trace = mg.NormTrace.from_columns({"norm_in": [1.0, NAN, None], "loss": np.array([3, 2, 1])}, lr=0.1)
    assert bits(trace) == bits([
        make_row(step=k, micro_step=k, hook="backward", norm_in=n, norm_out=n, loss=3.0 - k, lr=0.1)
        for k, n in enumerate((1.0, NAN, None))])
    assert trace.totals.steps == 3
    assert mg.NormTrace.from_columns(norm_in=[], columns={}) == mg.NormTrace()


def test_of_columns_with_stages_and_parameters():
    trace = mg.NormTrace.from_columns({
        "step": [5, 5, 5, 9, 9, 9], "stage": [0, 0, 1] * 2, "parameter": ["", "fc.w", ""] * 2,
        "hook": np.array(["backward", "backward", "clip"] * 2), "norm_in": np.arange(6.0), "norm_out": None,
        "threshold": np.ma.masked_array([1.0] * 6, [1, 1, 0] * 2)})
    assert trace.column("micro_step").tolist() == [0, 0, 1, 1]
    assert trace.clip_stage() == 1
    assert trace.matrix().steps.tolist() == [5, 9]
    assert trace.matrix().values.tolist() == [[1.0, 4.0]]
    assert trace.given("threshold").tolist() == [False, True, False, True]
    assert trace.per_parameter


def test_steps_may_be_whole_floats_and_counts_may_be_missing():
    trace = mg.NormTrace.from_columns({"norm_in": iter([1.0, 2.0]), "step": [0.0, 7.0], "nan": np.array([NAN, 2.0])})
    assert [(r.step, r.nan) for r in trace] == [(0, None), (7, 2)]


@pytest.mark.parametrize(("columns", "error", "text"), [
    ({"norm": [1.0]}, KeyError, "no column 'norm'; there are step"),
    ({"loss": [1.0]}, ValueError, "needs .* norm_in"),
    ({"norm_in": [1.0], "loss": [1.0, 2.0]}, ValueError, "norm_in: 1, loss: 2"),
    ({"norm_in": 3.0}, ValueError, "single"), ({"norm_in": ["many"]}, ValueError, "norm_in.*many"),
    ({"norm_in": [1.0], "step": [2.5]}, ValueError, "step"),
    ({"norm_in": [1.0], "step": [10 ** 30]}, ValueError, "step"), ({}, ValueError, "none")])
def test_columns_that_do_not_fit_are_refused(columns, error, text):
    with pytest.raises(error, match=text):
        mg.NormTrace.from_columns(columns)
