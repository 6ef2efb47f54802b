"""Recording a training that runs elsewhere: whatever converts to an array, measured as minigrad's own is."""

import gc
import math
import weakref

import numpy as np
import pytest
from matplotlib.figure import Figure
from tracing import INF, NAN, bits, sgd

import minigrad as mg
from minigrad import nn, optim, plot
from minigrad.norms import norm


def one(grads, **options):
    trace = mg.NormTrace(per_parameter=options.pop("per_parameter", False))
    trace.record(grads, **options)
    return trace


def test_it_is_what_the_optimizer_records():
    gradients = [([3.0, NAN], [[0.0, 12.0]]), ([0.3, -0.0], None), ([INF, 0.0], [[1e200, -1e200]])]
    own = sgd(gradients, mg.hooks.NonFinite("propagate"), trace=mg.NormTrace(per_parameter=True), names=("a", "b"))
    trace = mg.NormTrace(per_parameter=True)
    for step, (a, b) in enumerate(gradients):
        trace.record({"a": a, "b": None if b is None else np.array(b)}, step=step, loss=0.25, lr=0.5)
    expected = [r._replace(coefficient=None, cosine=None) if r.parameter and r.missing else r
                for r in own.select(stage=0) + own.select(stage=0, parameter="a") + own.select(stage=0, parameter="b")]
    got = [r._replace(coefficient=None, cosine=None) if r.parameter and r.missing else r
           for r in trace.select() + trace.select(parameter="a") + trace.select(parameter="b")]
    assert bits(got) == bits(expected)


class Arrays:
    """Something that NumPy makes an array of, and that counts how often it does."""

    def __init__(self, values):
        self.values, self.asked = np.array(values), 0

    def __array__(self, dtype=None, copy=None):
        self.asked += 1
        return self.values


@pytest.mark.parametrize(("array", "expected"), [
    (np.array([3.0, 4.0]), 5.0), ([3, 4], 5.0), (5.0, 5.0), (np.float32(5), 5.0), (np.array([3, 4], np.int8), 5.0),
    (np.array([3, 4], np.float16), 5.0), (np.array([200, 200], np.uint8), 200 * math.sqrt(2)),
    (np.array([True] * 4), 2),
    (np.zeros((0, 3)), 0.0), (np.array([1e200, 1e200]), math.sqrt(2) * 1e200), (mg.tensor([3.0, 4.0]), 5.0),
    (mg.tensor([3.0, 4.0], requires_grad=True), 5.0), (Arrays([3.0, 4.0]), 5.0), (np.array([3.0, 4.0])[::-1], 5.0),
    (memoryview(np.array([3.0, 4.0])), 5.0), (np.array([3.0, 4.0], np.longdouble), 5.0), (np.array([[NAN]]), NAN)])
def test_anything_that_converts(array, expected):
    trace = one({"w": array})
    assert trace.column("norm_in", stage=0) == pytest.approx([expected], rel=1e-15, nan_ok=True)
    assert trace.totals.steps == 1


@pytest.mark.parametrize(("array", "text"), [
    ("text", r"grads\['fc.w'\] is no array of real numbers"), ([[1.0], [1.0, 2.0]], "inhomogeneous"),
    (np.array([1j]), "complex"), (object(), "object"), ([None], "object"),
    (np.zeros(2, [("a", float)]), "dtype"), (np.array(["2020"], "M8[Y]"), "datetime")])
def test_what_is_no_array_is_refused_by_name(array, text):
    trace = mg.NormTrace()
    with pytest.raises(TypeError, match=text):
        trace.record({"good": [1.0], "fc.w": array})
    assert len(trace) == 0
    with pytest.raises(TypeError, match=r"data\['fc.w'\]"):
        trace.record({"fc.w": [1.0]}, data={"fc.w": "text"})


@pytest.mark.parametrize(("options", "error", "text"), [
    ({"step": -1}, ValueError, "step = -1.*at least 0"), ({"step": 1.5}, ValueError, "step = 1.5"),
    ({"loss": [1.0, 2.0]}, TypeError, r"loss is a number, not an array of shape \(2,\)"),
    ({"lr": "x"}, TypeError, "lr"),
    ({"data": {"u": [1.0]}}, ValueError, "data has 'u'.*'w'"), ({"updates": [1.0]}, TypeError, "updates is a dict"),
    ({"grads": [1.0]}, TypeError, "grads is a dict name -> array")])
def test_arguments_that_do_not_fit(options, error, text):
    trace = mg.NormTrace()
    with pytest.raises(error, match=text):
        trace.record(**{"grads": {"w": [1.0]}, **options})
    assert len(trace) == 0


def test_dicts_in_dicts_get_names_with_dots():
    grads = {"Dense_0": {"kernel": np.full((2, 2), 2.0), "bias": None}, 3: {"w": [3.0]}}
    trace = one(grads, data=grads, updates=grads, per_parameter=True)
    assert trace.parameters() == ["Dense_0.kernel", "Dense_0.bias", "3.w"]
    assert trace.layers() == ["Dense_0", "3"]
    assert trace.ratios(by="layer").values.tolist() == [[1.0], [1.0]]


@pytest.mark.parametrize("grads", [{"a.b": [3.0], "a": {"b": [4.0]}}, {"a": {"b": [4.0]}, "a.b": None},
                                   {1: [3.0], "1": [4.0]}, {"a": {"b.c": [1.0], "b": {"c": [2.0]}}}])
def test_two_arrays_of_one_name_are_refused(grads):
    trace = mg.NormTrace()
    with pytest.raises(ValueError, match="has two arrays named"):
        trace.record(grads)
    assert len(trace) == 0


def test_steps_are_counted_where_nobody_says():
    trace = mg.NormTrace()
    for step in (None, None, 10, None, 4, None):
        trace.record({"w": [1.0]}, step=step, loss=np.float32(0.5))
    assert trace.column("step").tolist() == [0, 1, 10, 11, 4, 5]
    assert trace.column("micro_step").tolist() == [0, 1, 2, 3, 4, 5]
    assert trace.column("loss").tolist() == [0.5] * 6


def test_ratios_are_of_what_moved():
    trace = one({"a": [1.0], "b": None}, data={"a": [3.0, 4.0], "b": [1e9]}, updates={"a": [0.3, 0.4]},
                per_parameter=True)
    assert trace.ratios() == pytest.approx([0.1])
    assert trace.ratios(by="parameter").names == ["a"]
    assert one({"a": [1.0]}, data={"a": [2.0]}).column("data", hook="update").tolist() == [2.0]
    assert np.isnan(one({"a": [1.0]}, updates={"a": [2.0]}).ratios()).all()


def test_nothing_is_kept_of_the_arrays():
    class Array(np.ndarray):
        pass

    array = np.ones(3).view(Array)
    ref, before = weakref.ref(array), array.copy()
    trace = one({"w": array}, data={"w": array}, updates={"w": array}, per_parameter=True)
    assert (array == before).all()
    del array
    gc.collect()
    assert ref() is None
    assert len(trace) == 4


# ------------------------------------------------------------------------------------------ norms over time

def test_norms_over_time_go_with_their_step():
    """And into files of every kind, to the bit; the picture takes them as they are."""
    rnn, trace, norms = nn.RNN(3, 4, rng=np.random.default_rng(0)), mg.NormTrace(), {}
    opt = optim.SGD(rnn.parameters(), lr=0.1, trace=trace)
    rnn.register_step_hook(lambda g, t: norms.update({t: float(g.norm())}))
    expected = []
    for k in range(3):
        opt.zero_grad()
        rnn(np.full((7 - k, 1, 3), 0.5))[1].sum().backward()
        expected.append([norms[t] for t in range(7 - k)] + [NAN] * k)
        trace.record_times({t: norms[t] for t in range(7 - k)})
        opt.step(loss=0.5)
    np.testing.assert_array_equal(trace.times(), expected)
    assert trace.column("step", place="time", parameter="h").tolist() == [0, 1, 2]
    assert trace.hooks() == ["backward", "update"]
    assert trace.parameters() == []
    assert len(trace.steps()) == trace.totals.calls == 3
    assert plot.time_map(trace.times(), Figure().add_subplot()) is not None


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".npz"])
def test_norms_over_time_survive_files(ending, tmp_path):
    values = [[1e-320, 0.1, NAN], [INF, 0.0, 1 / 3], np.arange(3.0) / 7]
    trace = mg.NormTrace(stream=tmp_path / "stream.csv", per_parameter=True)
    for norms in values:
        trace.record_times(norms)
        trace.record({"w": [1.0]})
    trace.save(tmp_path / f"t{ending}")
    np.testing.assert_array_equal(mg.NormTrace.load(tmp_path / f"t{ending}").times(), values)
    np.testing.assert_array_equal(mg.NormTrace.load(tmp_path / "stream.csv").times(), values)
    assert trace.matrix().values.tolist() == [[1.0, 1.0, 1.0]]


def test_norms_over_time_wait_for_their_step_and_are_thinned_with_it():
    trace = mg.NormTrace(every=2)
    for k in range(4):
        trace.record_times([float(k)] * 2, step=10 + k)
        assert trace.times()[-1].tolist() == [k, k]
        trace.record({"w": [1.0]})
    assert trace.times().tolist() == [[0, 0], [2, 2]]
    assert trace.column("step", place="time", parameter="h").tolist() == [10, 12]
    assert mg.NormTrace().times().shape == (0, 0)


def test_steps_without_a_call_are_nan():
    trace = mg.NormTrace()
    trace.record_times({3: 1.0, 1: 0.5})
    np.testing.assert_array_equal(trace.times(), [[NAN, 0.5, NAN, 1.0]])


@pytest.mark.parametrize("norms", [[], {}, {-1: 1.0}, {"t": 1.0}, [[1.0, 2.0]], ["x"], None, 3.0])
def test_what_are_no_norms_over_time(norms):
    with pytest.raises((TypeError, ValueError)):
        mg.NormTrace().record_times(norms)


# -------------------------------------------------------------------------------------------------- PyTorch

@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def test_the_three_lines_for_pytorch(torch):
    """The norms are those of ``clip_grad_norm_``; the ratio of update to data is that of SGD."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1), torch.nn.Linear(2, 2))
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
    trace = mg.NormTrace(per_parameter=True)
    totals, data = [], []
    for step in range(5):
        opt.zero_grad()
        loss = net[:3](torch.randn(16, 3)).square().mean()
        loss.backward()
        data.append(math.sqrt(sum(float(p.detach().double().square().sum()) for p in net[:3].parameters())))
        trace.record({n: p.grad for n, p in net.named_parameters()}, step, loss.item(),
                     data=dict(net.named_parameters()),
                     updates={n: -0.1 * p.grad for n, p in net.named_parameters() if p.grad is not None})
        totals.append(float(torch.nn.utils.clip_grad_norm_(net.parameters(), 1e9)))
        opt.step()
    assert trace.column("norm_in", stage=0) == pytest.approx(totals, rel=1e-6)
    assert trace.column("missing", stage=0).tolist() == [2] * 5
    assert trace.layers() == ["0", "2", "3"]
    assert trace.matrix(by="layer").missing.tolist() == [[False] * 5, [False] * 5, [True] * 5]
    assert trace.ratios() == pytest.approx(0.1 * np.array(totals) / data, rel=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "int64"])
@pytest.mark.parametrize("grad", [False, True])
def test_tensors_of_pytorch(torch, dtype, grad):
    tensor = torch.tensor([3.0, 4.0]).to(getattr(torch, dtype))
    if grad and tensor.is_floating_point():
        tensor.requires_grad_()
    assert one({"w": tensor}, loss=tensor[:1].sum()).column("norm_in").tolist() == [5.0]


def test_tensors_of_pytorch_that_are_no_arrays(torch):
    with pytest.raises(TypeError, match=r"grads\['w'\].*to_dense"):
        one({"w": torch.tensor([[0.0, 1.0]]).to_sparse()})
    with pytest.raises(TypeError, match=r"grads\['w'\].*complex"):
        one({"w": torch.tensor([1j])})


def test_the_norm_is_exact_where_pytorch_has_none(torch):
    tiny = torch.full((4,), 1e-30)
    assert float(tiny.norm()) == 0.0
    assert one({"w": tiny}).column("norm_in") == pytest.approx([norm(tiny.numpy())], rel=0)
    assert norm(tiny.numpy()) == pytest.approx(2e-30, rel=1e-6)
