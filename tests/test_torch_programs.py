"""Programs in PyTorch's spelling run by changing their import lines, and give PyTorch's losses.

``tests/torch_programs/`` holds them.  Each is compared with the losses that PyTorch gave (``reference.json``, written
by ``python tests/test_torch_programs.py``) and, where PyTorch is installed, with PyTorch itself, run here and now from
the same weights and data.
"""

import json
import math
import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parent / "torch_programs"
REFERENCE = FOLDER / "reference.json"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")


def wave(shape, k, size=0.5):
    """Numbers from a formula, so that they are the same wherever they are computed."""
    return size * np.sin(0.7 * np.arange(math.prod(shape)) + 1.3 * k).reshape(shape)


SIDES = {"pooled_net": 12}      # two rounds of convolution and pooling leave nothing of 8
TEXT = "beautiful is better than ugly. explicit is better than implicit."
DATA = {
    "two_layer_net": {"x": wave((100, 10), 1, 1.0), "y": wave((100, 1), 2, 3.0)},
    "linear_regression": {"x": wave((12, 3), 1, 1.0), "y": wave((12,), 2, 2.0), "theta": wave((3,), 3, 1.0)},
    "clipped_descent": {"theta": wave((10, 1), 1, 1.0)},
    "clip_and_accumulate": {"x": wave((16, 6), 1, 1.0), "y": np.arange(16) % 3},
    "gradient_flow": {"x": wave((12, 5), 1, 2.0), "y": np.arange(12) % 2},
    "penalised_regression": {"x": wave((16, 6), 1, 1.0), "y": np.arange(16) % 3},
    **{name: {"letters": np.array([sorted(set(TEXT)).index(c) for c in TEXT])}
       for name in ("rnn_by_hand", "rnn_from_scratch", "lstm_text")},
}


def digits(count, side=8):
    """A few of the 8x8 digits, perhaps in another size, as images (N, 1, side, side) and labels."""
    import minigrad as mg
    task = mg.tasks.digits()
    images = task.x[:count] if side == 8 else mg.tasks.resize(task.x[:count], side)
    return {"x": images, "y": task.y[:count]}


def program(name, library="minigrad"):
    """Run a file of the folder, as it stands or with torch in its import lines; return it as a module."""
    source = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
    if library == "torch":
        source = re.sub(r"^(import|from) minigrad(\S*)( as torch)?", r"\1 torch\2", source, flags=re.M)
        assert "minigrad" not in re.sub(r'""".*?"""', "", source, flags=re.S)
    module = types.ModuleType(name)
    exec(compile(source, f"{name}.py", "exec"), vars(module))
    return module


def run(name, library="minigrad", data=None, **arguments):
    """Run a program with the data and starting values that every run of it gets."""
    module = program(name, library)
    return call(module.run, library, DATA.get(name) or data or digits(16, SIDES.get(name, 8)), **arguments)


def call(function, library, data, **arguments):
    torch = __import__(library)
    tensors = {key: torch.tensor(array) for key, array in data.items()}

    def start(net):
        """Fill a network, or the tensors of a list."""
        if isinstance(net, list):
            for k, p in enumerate(net):
                p.copy_(torch.tensor(wave(tuple(p.shape), k)))
            return
        state = {key: torch.tensor(wave(tuple(p.shape), k, 1 / math.sqrt(p.shape[-1] if p.ndim > 1 else 4)))
                 for k, (key, p) in enumerate(net.named_parameters())}
        net.load_state_dict(state, strict=False)

    if library == "minigrad":
        return function(tensors, start, **arguments)
    torch.set_num_threads(1)
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        return function(tensors, start, **arguments)
    finally:
        torch.set_default_dtype(default)


def same(got, expected):
    """Compare the numbers of two runs."""
    assert got.keys() == expected.keys()
    for key, numbers in expected.items():
        assert len(got[key]) == len(numbers) > 0
        np.testing.assert_allclose(got[key], numbers, rtol=1e-9, atol=1e-9, err_msg=key)


@pytest.mark.parametrize("name", NAMES)
def test_losses_are_those_that_pytorch_gave(name):
    """Over 50 steps in float64, to 1e-9."""
    recorded = json.loads(REFERENCE.read_text())[name]
    got = run(name)
    same(got, recorded)
    assert any(len(numbers) >= 50 for numbers in got.values())


@pytest.mark.parametrize("name", NAMES)
def test_losses_are_pytorchs_here_and_now(name):
    pytest.importorskip("torch")
    same(run(name), run(name, "torch"))


# --------------------------------------------------------------- where an article's program does not do what it says

def profile(data, start, depth=20, clip=math.inf):
    """dL/dW of the first and the last layer of a deep sigmoid net, after clipping."""
    import minigrad as torch
    net = torch.nn.Sequential(*[m for _ in range(depth) for m in (torch.nn.Linear(5, 5), torch.nn.Sigmoid())])
    start(net)
    net(data["x"]).pow(2).sum().backward()
    if clip < math.inf:
        torch.nn.utils.clip_grad_norm_(net.parameters(), clip)
    return [net[0].weight.grad.norm().item(), net[2 * depth - 2].weight.grad.norm().item()]


def test_article_000_clipping_does_not_cure_a_vanishing_gradient():
    """Both of its programs are one program; and the clip leaves the ratio of first to last layer as small as it was."""
    data = {"x": wave((4, 5), 1, 1.0)}
    plain, clipped = (call(profile, "minigrad", data, clip=c) for c in (math.inf, 1e-3))
    assert plain[0] / plain[1] < 1e-10
    assert clipped[0] / clipped[1] == pytest.approx(plain[0] / plain[1], rel=1e-12)
    assert clipped[0] < plain[0]
    text = (Path(__file__).parent / "torch_programs" / "two_layer_net.py").read_text(encoding="utf-8")
    assert "same program" in text


def test_article_001_the_printed_function_never_clips():
    """It hands gradients over as parameters; the corrected one brings every norm to at most 0.5."""
    module = program("conv_net")
    printed = call(module.run, "minigrad", digits(8), clipping=module.as_printed, steps=6, max_norm=0.5)
    corrected = call(module.run, "minigrad", digits(8), clipping=module.corrected, steps=6, max_norm=0.5)
    assert min(printed["norm before"]) > 0.5
    assert printed["norm after"] == printed["norm before"]
    assert max(corrected["norm after"]) <= 0.5
    assert corrected["loss"][-1] != printed["loss"][-1]


def test_article_001_the_printed_function_returns_early_on_images_of_28():
    """There the net has 1,199,882 parameters, more than a million: it does nothing.  Nor does clipping remove any."""
    module = program("conv_net")
    net = module.Net(28)
    assert sum(p.numel() for p in net.parameters()) == 1_199_882
    images = digits(2, side=28)
    import minigrad as torch
    torch.nn.functional.nll_loss(net(torch.tensor(images["x"])), torch.tensor(images["y"])).backward()
    assert module.as_printed(net) is None
    before = module.total_norm(net)
    assert module.corrected(net, before / 2).item() == pytest.approx(before, rel=1e-6)
    assert module.total_norm(net) == pytest.approx(before / 2, rel=1e-5)
    assert sum(p.numel() for p in net.parameters()) == 1_199_882


def test_article_001_the_second_program_touches_no_gradient_and_cannot_come_below_a_bound():
    got = run("pooled_net")
    assert set(got["touched"]) == {0.0}
    assert min(got["loss"]) > math.log(math.e + 9) - 1


def test_article_002_the_printed_regularisation_is_a_smaller_learning_rate():
    """sign(g) |g| l1 + g l2 = (l1 + l2) g; the formula beside it, by double backward, is something else."""
    got = run("linear_regression")
    np.testing.assert_allclose(got["as printed"], got["half the learning rate"], rtol=1e-12)
    assert abs(got["penalised, p = 2"][-1] - got["half the learning rate"][-1]) > 1e-3
    assert got["its gradient norm, p = 2"][-1] < got["its gradient norm, p = 2"][0]


def test_article_003_the_printed_gradient_is_empty():
    """np.gradient of one number, the loss, holds nothing; the update then throws all ten parameters away."""
    theta, epsilon = wave((10, 1), 1), 0.1          # the article forgot to define epsilon
    gradients = np.gradient(np.sum(theta ** 2))
    assert len(gradients) == 0
    assert (theta - np.clip(gradients, -epsilon, epsilon)).shape == (10, 0)


def test_article_003_value_clipping_bounds_every_step():
    got = run("clipped_descent")
    assert max(got["largest gradient"]) <= 0.1
    assert got["loss"][-1] < got["loss"][0]


def test_article_004_accumulating_equals_the_large_batch_and_the_other_program_does_not():
    got = run("clip_and_accumulate")
    module = program("clip_and_accumulate")
    import minigrad as torch

    def whole(data, start):
        model, criterion = module.make(start)
        criterion(model(data["x"]), data["y"]).backward()
        return torch.cat([p.grad.flatten() for p in model.parameters()]).tolist()

    large = np.array(call(whole, "minigrad", DATA["clip_and_accumulate"]))
    np.testing.assert_allclose(got["gradient, accumulated"], large, rtol=0, atol=1e-15)
    last = np.array(got["gradient, last only"])
    assert np.linalg.norm(last - large) > 0.5 * np.linalg.norm(large)
    assert got["accumulated"][-1] != got["last only"][-1]


# ----------------------------------------------------------------------- functions of the learner's own

def test_a_function_with_a_gradient_of_its_own_is_two_lines():
    """What is a class with forward and backward in PyTorch is a function and its rule here: a straight-through sign."""
    import minigrad as mg

    @mg.primitive
    def binarise(x):
        return np.sign(x)

    mg.defvjp(binarise, lambda g, y, x: g * (np.absolute(x) <= 1))
    x = mg.tensor(wave((5, 3), 1, 2.0), requires_grad=True)
    (binarise(x * x - 1) * wave((5, 3), 2)).sum().backward()
    expected = wave((5, 3), 2) * (abs(x.data ** 2 - 1) <= 1) * 2 * x.data
    np.testing.assert_allclose(x.grad.data, expected, rtol=1e-14)


def functions(torch):
    """PyTorch's way to write them, with the library given."""
    class Binarise(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.sign()

        @staticmethod
        def backward(ctx, g):
            x, = ctx.saved_tensors
            return g * (x.abs() <= 1)

    class PowerOfProduct(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, w, n):
            y = (x @ w) ** n
            ctx.n = n
            ctx.save_for_backward(x, w, y)
            return y

        @staticmethod
        def backward(ctx, g):
            x, w, y = ctx.saved_tensors
            inner = g * ctx.n * y / (x @ w)
            wanted = ctx.needs_input_grad
            return (inner @ w.t() if wanted[0] else None), (x.t() @ inner if wanted[1] else None), None

    x = torch.tensor(wave((4, 3), 1, 2.0), requires_grad=True)
    w = torch.tensor(wave((3, 2), 2), requires_grad=True)
    y = PowerOfProduct.apply(Binarise.apply(x * x - 1) + 0.1 * x, w, 3)
    first = torch.autograd.grad((y * y).sum(), [x, w], create_graph=True)
    second = torch.autograd.grad(sum((g * g).sum() for g in first), [x, w])
    return [t.detach().numpy() for t in (y, *first, *second)]


def test_pytorchs_function_classes_work_to_any_order():
    import minigrad as mg
    got = functions(mg)
    x, w = wave((4, 3), 1, 2.0), wave((3, 2), 2)
    np.testing.assert_allclose(got[0], ((np.sign(x * x - 1) + 0.1 * x) @ w) ** 3, rtol=1e-12)
    for a, b in zip(got, functions(pytest.importorskip("torch")), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_a_function_class_that_is_wrong_says_what_is():
    import minigrad as mg

    class Pair(mg.autograd.Function):
        forward = staticmethod(lambda ctx, x: (x, x))

    class Short(mg.autograd.Function):
        forward = staticmethod(lambda ctx, x, w: x * w)
        backward = staticmethod(lambda ctx, g: g)

    x = mg.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(TypeError, match=r"Pair.forward returned a tuple"):
        Pair.apply(x)
    with pytest.raises(ValueError, match=r"Short\.backward returned 1 gradients for 2"):
        Short.apply(x, x).sum().backward()
    assert not Short.apply(x.detach(), x.detach()).requires_grad


if __name__ == "__main__":
    record = {name: {key: [float(n) for n in numbers] for key, numbers in run(name, "torch").items()} for name in NAMES}
    REFERENCE.write_text(json.dumps(record, indent=0), encoding="utf-8")
    sys.stdout.write(f"wrote {REFERENCE}\n")
