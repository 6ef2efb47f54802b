"""mg.flow of residual nets however they are written: the trunk is what is fitted, and what is branched is not."""

import numpy as np
import pytest
from flows import batch

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F

WIDTH = 48


def linear(gain, rng):
    layer = nn.Linear(WIDTH, WIDTH, rng=rng)
    layer.weight.data, layer.bias.data = gain * rng.normal(size=(WIDTH, WIDTH)) / np.sqrt(WIDTH), np.zeros(WIDTH)
    return layer


def inside(gain, rng, *before):
    return nn.Sequential(*before, linear(gain, rng), nn.ReLU(), linear(gain, rng))


class Loop(nn.Module):
    """x = x + b(x) for every block of a list, and a head: how most of PyTorch's residual nets are written."""

    def __init__(self, depth, gain, turned=False, pre=False, stem=False, post=False):
        rng = np.random.default_rng(0)
        self.stem = linear(1.0, rng) if stem else None
        self.blocks = nn.ModuleList(inside(gain, rng, *([nn.LayerNorm(WIDTH)] if pre else [])) for _ in range(depth))
        self.post = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(depth)) if post else None
        self.head, self.turned = nn.Linear(WIDTH, 10, rng=rng), turned

    def forward(self, x):
        x = x if self.stem is None else self.stem(x)
        for k, block in enumerate(self.blocks):
            x = block(x) + x if self.turned else x + block(x)
            x = x if self.post is None else self.post[k](x)
        return self.head(x)


class Block(nn.Module):
    """Two sums in one module, as in a transformer."""

    def __init__(self, rng):
        self.one, self.two = inside(0.5, rng, nn.LayerNorm(WIDTH)), inside(0.5, rng, nn.LayerNorm(WIDTH))

    def forward(self, x):
        x = x + self.one(x)
        return x + self.two(x)


def measured(net):
    return mg.flow(net, F.cross_entropy, batch(WIDTH))


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("gain", [0.6, 1.4])
def test_a_loop_of_blocks_is_the_net_of_nn_residual(gain, turned):
    net = Loop(20, gain, turned)
    twin = nn.Sequential(*(nn.Residual(*block) for block in net.blocks), net.head)
    loop, other = measured(net), measured(twin)
    for a, b in zip(loop.rows, other.rows, strict=True):
        assert (a.activation, a.delta, a.gradient) == pytest.approx((b.activation, b.delta, b.gradient))
    assert loop.predicted == pytest.approx(other.predicted)
    assert loop.slope == pytest.approx(other.slope)
    half = 0.5 * np.log10(1 + gain ** 4 / 2)                               # Yang and Schoenholz 2017
    assert loop.predicted == pytest.approx(half, rel=0.1)
    assert loop.kind == other.kind == ("healthy" if gain < 1 else "exploding")
    assert [row.name for row in loop.rows] == [*(f"blocks.{k}" for k in range(20)), "head"]
    assert loop.rows[3].kind == "Linear + relu + add"


def test_a_net_that_is_residual_is_not_advised_to_be():
    found = measured(Loop(20, 1.4))
    assert found.kind == "exploding"
    assert not any("nn.Residual" in text for text in found.help)
    assert "nn.init.zeros_" in found.help[0]


def test_the_advice_for_residual_nets_heals():
    net = Loop(20, 1.4)
    for block in net.blocks:
        nn.init.zeros_(block[-1].weight)
    assert measured(net).kind == "healthy"


@pytest.mark.parametrize("depth", [20, 100])
def test_a_deeper_net_is_never_less_decided(depth):
    assert measured(Loop(depth, 0.6)).kind == {20: "healthy", 100: "exploding"}[depth]


@pytest.mark.parametrize(("options", "kind"), [
    ({"pre": True}, "LayerNorm + Linear + relu + add"), ({"post": True}, "Linear + relu + add + LayerNorm"),
    ({"pre": True, "stem": True}, "LayerNorm + Linear + relu + add")])
def test_normalised_blocks_have_a_row_each(options, kind):
    found = measured(Loop(40, 1.0, **options))
    assert len(found.rows) == 41 + options.get("stem", False)
    assert found.rows[-3].kind == kind
    assert found.slope is not None
    assert "branch" not in str(found)


def test_delta_on_the_trunk_is_that_of_a_second_backward_pass():
    net, (x, y) = Loop(3, 1.0, stem=True), batch(WIDTH)
    h, trunk = net.stem(x), []
    for block in net.blocks:
        h = h + block(h)
        trunk.append(h)
    wanted = mg.grad(F.cross_entropy(net.head(h), y), trunk)
    found = mg.flow(net, F.cross_entropy, (x, y))
    assert [row.name for row in found.rows] == ["stem", "blocks.0", "blocks.1", "blocks.2", "head"]
    assert [row.delta for row in found.rows[1:4]] == pytest.approx([np.linalg.norm(g.data) for g in wanted])


def test_two_sums_in_a_block_are_two_rows_with_names_of_their_own():
    rng = np.random.default_rng(0)
    found = measured(nn.Sequential(*(Block(rng) for _ in range(6)), nn.Linear(WIDTH, 10, rng=rng)))
    assert [row.name for row in found.rows[:4]] == ["0.one", "0.two", "1.one", "1.two"]
    assert {row.kind for row in found.rows[:12]} == {"LayerNorm + Linear + relu + add"}
    assert len(found.rows) == 13
    assert found.slope is not None


def test_a_block_that_is_called_again_and_again_has_a_row_per_call():
    class Shared(Loop):
        def forward(self, x):
            for _ in range(4):
                x = x + 0.1 * self.blocks[0](x)
            return x

    rows = mg.flow(Shared(1, 1.0), lambda h: (h * h).sum(), batch(WIDTH)[0]).rows
    assert [(row.name, row.kind, row.calls) for row in rows] == [("blocks.0", "Linear + relu + add", 4)] * 4


def test_a_net_that_ends_in_a_sum_or_is_one_block():
    class Headless(Loop):
        def forward(self, x):
            for block in self.blocks:
                x = x + block(x)
            return x

    net, (x, _) = Headless(5, 1.0), batch(WIDTH)
    rows = mg.flow(net, lambda h: (h * h).sum(), x).rows
    assert [(row.name, row.kind) for row in rows] == [(f"blocks.{k}", "Linear + relu + add") for k in range(5)]
    rows = mg.flow(nn.Residual(*net.blocks[0]), lambda h: (h * h).sum(), x).rows
    assert [(row.name, row.kind) for row in rows] == [("(net)", "Residual")]


def test_an_activation_behind_the_sum_belongs_to_the_block():
    class Net(Loop):
        def forward(self, x):
            x = self.stem(x)
            for block in self.blocks:
                x = F.relu(x + block(x))
            return self.head(x)

    found = measured(Net(6, 1.0, stem=True))
    assert [row.kind for row in found.rows[1:7]] == ["Linear + relu + add"] * 6
    assert found.rows[2].dead is not None


def test_a_bias_that_is_added_is_no_block():
    class Own(nn.Module):
        def __init__(self, rng):
            self.w, self.b = nn.Parameter(rng.normal(size=(WIDTH, WIDTH)) / 7), nn.Parameter(np.ones(WIDTH))

        def forward(self, x):
            return np.tanh(x @ self.w + self.b)

    rng = np.random.default_rng(0)
    found = measured(nn.Sequential(*(Own(rng) for _ in range(5))))
    assert [row.kind for row in found.rows] == ["tanh"] * 5


def test_where_ways_branch_for_good_there_is_no_slope():
    class Net(nn.Module):
        """Every layer sees the sum of all before it, and a last one is behind them all."""

        def __init__(self):
            rng = np.random.default_rng(0)
            self.parts = nn.ModuleList(linear(1.0, rng) for _ in range(30))
            self.last = nn.ModuleList(linear(1.0, rng) for _ in range(4))

        def forward(self, x):
            outs = [mg.tensor(x)]
            for part in self.parts:
                outs.append(part(sum(outs[1:], outs[0])))
            h = outs[-1] * outs[-2]
            for part in self.last:
                h = part(h)
            return h

    found = measured(Net())                             # five layers, and 30 calls in the first of them
    assert len(found.rows) == 34
    assert found.slope is found.predicted is None
    assert found.kind == "undecided"
    assert "the ways branch, so that delta does not go from row to row" in found.verdict
    assert "would tell" not in found.verdict
    assert all(row.delta_ratio is None for row in found.rows)
    assert not found.help
