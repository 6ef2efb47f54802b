"""What a layer is: modules, functions, blocks, shared and frozen parts, ways beside each other."""

import numpy as np
import pytest
from flows import batch, mlp

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F


def of(*parts, x=None, loss=lambda h: (h * h).sum(), size=4):
    """Return the rows of a Sequential on Gaussian data."""
    x = np.random.default_rng(0).normal(size=(5, size)) if x is None else x
    return mg.flow(nn.Sequential(*parts), loss, x)


def kinds(found):
    return [(row.name, row.kind) for row in found.rows]


def test_a_layer_takes_in_what_follows_without_weights():
    found = of(nn.Flatten(), nn.Linear(4, 6), nn.LayerNorm(6), nn.Tanh(), nn.Dropout(0.5), nn.Linear(6, 3))
    assert kinds(found) == [("1", "Linear + LayerNorm + tanh + Dropout"), ("5", "Linear")]
    assert found.rows[0].saturated is not None
    assert [m["name"] for m in found.modules] == ["1", "2", "3", "4", "5"]
    assert all(m["all_passes"] for m in found.modules)


class Functional(nn.Module):
    """The activations are functions, and one of the matrices is a parameter of the net itself."""

    def __init__(self, rng):
        self.first, self.second = nn.Linear(4, 4, rng=rng), nn.Linear(4, 4, rng=rng)

    def forward(self, x):
        return F.relu(self.second(np.tanh(self.first(x))))


def test_activations_that_are_functions_count_like_modules():
    net, twin = Functional(np.random.default_rng(1)), nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4),
                                                                   nn.ReLU())
    for a, b in zip(twin.parameters(), net.parameters()):
        a.data = b.data
    x = np.random.default_rng(0).normal(size=(5, 4))
    one, other = (mg.flow(m, lambda h: (h * h).sum(), x) for m in (net, twin))
    assert kinds(one) == [("first", "Linear + tanh"), ("second", "Linear + relu")]
    for a, b in zip(one.rows, other.rows):
        assert (a.activation, a.delta, a.gradient, a.dead, a.saturated) == (b.activation, b.delta, b.gradient, b.dead,
                                                                           b.saturated)


class Own(nn.Module):
    """A leaf with a matrix of its own."""

    def __init__(self):
        self.w = nn.Parameter(np.eye(4) * 0.5)

    def forward(self, x):
        return np.tanh(x @ self.w)


class Wrapped(nn.Module):
    """A block that puts an activation behind the linear layer in it."""

    def __init__(self):
        self.inner = nn.Linear(4, 4)

    def forward(self, x):
        return mg.tanh(self.inner(x))


def test_modules_of_ones_own():
    found = of(Own(), Own(), Wrapped(), nn.Sequential(Wrapped(), nn.Identity()))
    assert kinds(found) == [("0", "tanh"), ("1", "tanh"), ("2.inner", "Linear + tanh"), ("3.0.inner", "Linear + tanh")]
    assert all(row.gradient > 0 and row.saturated is not None for row in found.rows)


@pytest.mark.parametrize("first", [False, True])
def test_a_residual_block_is_one_layer(first):
    rng = np.random.default_rng(0)
    block = nn.Residual(nn.Linear(4, 4, rng=rng), nn.ReLU(), nn.Linear(4, 4, rng=rng))
    found = of(*([] if first else [nn.Linear(4, 4, rng=rng)]), block, nn.Linear(4, 2, rng=rng))
    assert found.rows[-2].kind == "Residual"
    assert len(found.rows) == (2 if first else 3)
    inside = [m for m in found.modules if ".module." in m["name"]]
    assert [m["kind"] for m in inside] == ["Linear", "ReLU", "Linear"]


def test_the_row_of_a_block_is_its_output_with_all_weights_in_it():
    rng = np.random.default_rng(0)
    net = nn.Sequential(nn.Residual(nn.Linear(4, 4, rng=rng), nn.ReLU(), nn.Linear(4, 4, rng=rng)))
    x = rng.normal(size=(5, 4))
    row = mg.flow(net, lambda h: (h * h).sum(), x).rows[0]
    h = net(x)
    gradients = mg.grad((h * h).sum(), [p for name, p in net.named_parameters() if name.endswith("weight")])
    assert row.activation == pytest.approx(np.linalg.norm(h.data))
    assert row.delta == pytest.approx(2 * np.linalg.norm(h.data))
    assert row.gradient == pytest.approx(np.sqrt(sum((g.data ** 2).sum() for g in gradients)))


def test_a_layer_called_twice_has_a_row_per_call():
    layer, x = nn.Linear(4, 4), np.random.default_rng(0).normal(size=(5, 4))
    found = of(layer, nn.Tanh(), layer, nn.Tanh(), layer)
    assert kinds(found) == [("0", "Linear + tanh")] * 2 + [("0", "Linear")]
    assert [row.calls for row in found.rows] == [3, 3, 3]
    assert len({row.gradient for row in found.rows}) == 1
    assert len({row.delta for row in found.rows}) == 3
    h = layer(x)
    out = layer(mg.tanh(layer(mg.tanh(h))))
    delta = mg.grad((out * out).sum(), out)
    assert found.rows[2].delta == pytest.approx(np.linalg.norm(delta.data))


class Dense(nn.Module):
    """Every layer sees the sum of all before it, so hardly a tensor is passed by all of the gradient."""

    def __init__(self, depth):
        self.parts = nn.ModuleList(nn.Linear(4, 4) for _ in range(depth))

    def forward(self, x):
        outs = []
        for part in self.parts:
            outs.append(part(sum(outs, mg.tensor(x))))
        return sum(outs)


def test_where_the_ways_branch_there_is_a_row_per_call_and_no_prediction():
    found = mg.flow(Dense(6), lambda h: (h * h).mean(), np.ones((3, 4)))
    assert [row.name for row in found.rows] == [f"parts.{k}" for k in range(6)]
    assert "the ways branch" in str(found)
    assert found.predicted is None


def test_frozen_layers_at_the_input_have_no_delta():
    net, (x, y) = mlp(4, 6), batch(6)
    net[0].requires_grad_(False)
    net[2].weight.requires_grad_(False)
    rows = mg.flow(net, F.cross_entropy, (x, y)).rows
    assert [row.delta is None for row in rows] == [True, False, False, False, False]
    assert [row.gradient is None for row in rows] == [True, True, False, False, False]
    assert rows[0].activation == pytest.approx(np.linalg.norm(np.tanh(net[0](x).data)))
    assert "  -  " in str(mg.flow(net, F.cross_entropy, (x, y)))


def test_frozen_layers_are_named_and_theory_goes_on_behind_them():
    net, (x, y) = mlp(8, 32, nn.ReLU, 2.0), batch(32)
    whole = mg.flow(net, F.cross_entropy, (x, y))
    for part in (net[0], net[2]):
        part.requires_grad_(False)
    found = mg.flow(net, F.cross_entropy, (x, y))
    assert "layers 1 and 2 are frozen (requires_grad is False): no gradient is sent there" in str(found)
    assert [row.dead for row in found.rows] == [row.dead for row in whole.rows]
    assert kinds(found) == kinds(whole)
    assert [row.predicted for row in found.rows[2:8]] == pytest.approx([row.predicted for row in whole.rows[2:8]])
    assert [row.predicted for row in found.rows[:2]] == [None, None]
    assert found.kind == "healthy"
    net[4].requires_grad_(False)
    assert "layers 1 to 3 are frozen" in str(mg.flow(net, F.cross_entropy, (x, y)))


def test_too_few_layers_as_the_others_are_frozen():
    net = mlp(4, 6, nn.Tanh)
    net[0].requires_grad_(False)
    net[2].requires_grad_(False)
    found = mg.flow(net, F.cross_entropy, batch(6))
    assert "too few layers for a slope: 2, and it takes 4 (2 more get no gradient)" in found.verdict
    assert "neither" not in str(found)
    assert found.rows[0].saturated is not None


def test_a_layer_without_theory_is_named_legibly():
    net = mlp(6, 8)
    net = nn.Sequential(*list(net)[:1], nn.LayerNorm(8), *list(net)[1:])
    assert 'layer 1, "0" (Linear + LayerNorm + tanh), is neither' in str(mg.flow(net, F.cross_entropy, batch(8)))


class Detached(nn.Module):
    def __init__(self):
        self.body, self.head, self.spare = mlp(3, 6, head=None), nn.Linear(6, 10), nn.Linear(6, 1)

    def forward(self, x):
        h = self.body(x).detach()
        self.spare(h)
        return self.head(h)


def test_what_the_loss_does_not_depend_on_is_named():
    found = mg.flow(Detached(), F.cross_entropy, batch(6))
    assert "does not depend on the output of body.0, body.2, body.4 and 1 more" in str(found)
    assert found.rows[-1].name == "head"
    assert found.rows[-1].delta > 0


def test_behind_a_checkpoint_nothing_is_seen_and_that_is_said():
    net = mlp(4, 6)

    class Saving(nn.Module):
        def __init__(self):
            self.net = net

        def forward(self, x):
            return self.net[8](mg.checkpoint(lambda x: nn.Sequential(*list(net)[:8])(x), x))

    found = mg.flow(Saving(), F.cross_entropy, batch(6))
    assert "inside mg.checkpoint" in str(found)
    assert found.rows[-1].delta > 0


@pytest.mark.parametrize("norm", [nn.BatchNorm2d, lambda c: nn.GroupNorm(2, c)])
def test_a_convolutional_net(norm):
    rng = np.random.default_rng(0)
    net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), norm(4), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3),
                        nn.ReLU(), nn.Flatten(), nn.Linear(16, 10))
    found = mg.flow(net, F.cross_entropy, (rng.normal(size=(5, 1, 8, 8)), rng.integers(0, 10, 5)))
    assert [row.width for row in found.rows] == [64, 16, 10]
    assert [row.name for row in found.rows] == ["0", "4", "7"]
    assert found.rows[0].dead is not None
    assert found.kind == "too few"


def test_two_encoders_and_what_they_make_together():
    class Pair(nn.Module):
        def __init__(self):
            self.left, self.right, self.head = mlp(2, 4, head=None), mlp(3, 4, head=None), mlp(4, 4, head=3)

        def forward(self, a, b):
            return self.head(self.left(a) + self.right(b))

    x = np.random.default_rng(0).normal(size=(5, 4))
    found = mg.flow(Pair(), F.cross_entropy, ((x, x), np.zeros(5, int)))
    assert [row.name for row in found.rows][-4:] == ["head.2", "head.4", "head.6", "head.8"]
    assert {m["name"]: m["all_passes"] for m in found.modules}["right.2"] is False


def test_a_long_chain_needs_no_recursion():
    found = of(*(m for _ in range(3000) for m in (nn.Linear(1, 1), nn.Tanh())), size=1)
    assert len(found.rows) == 3000
