"""Backward hooks of modules that take or return dicts, and of those in whose outputs no tensor is found."""

from collections import OrderedDict
from dataclasses import dataclass

import pytest

import minigrad as mg
from minigrad import nn


class Named(nn.Module):
    def forward(self, inputs, bias=0.0):
        return OrderedDict(product=inputs["a"] * inputs["b"], parts=[inputs["a"] + bias, {"text": "plain"}])


def arguments():
    return {"a": mg.tensor(2.0, requires_grad=True), "b": mg.tensor(5.0, requires_grad=True), "n": 3}


def test_a_backward_hook_sees_into_dicts():
    net, seen, inputs = Named(), [], arguments()
    net.register_full_backward_hook(lambda m, grad_input, grad_output: seen.append((grad_input, grad_output)))
    out = net(inputs)
    assert isinstance(out, OrderedDict)
    assert out["parts"][1] == {"text": "plain"}
    (out["product"] + 10 * out["parts"][0]).backward()
    [((gradients,), (results,))] = seen
    assert {name: g if g is None else g.item() for name, g in gradients.items()} == {"a": 15.0, "b": 2.0, "n": None}
    assert results["product"].item() == 1.0
    assert results["parts"][0].item() == 10.0
    assert results["parts"][1] == {"text": None}
    assert (inputs["a"].grad.item(), inputs["b"].grad.item()) == (15.0, 2.0)


def test_a_hook_may_replace_what_is_in_a_dict():
    net, inputs = Named(), arguments()
    net.register_full_backward_hook(lambda m, gi, go: ({"a": gi[0]["a"] * 2, "b": gi[0]["b"] * 0, "n": None},))
    net(inputs)["product"].backward()
    assert (inputs["a"].grad.item(), inputs["b"].grad.item()) == (10.0, 0.0)


@pytest.mark.parametrize("changed", [({"a": 1.0},), (3.0,), ({"a": 1.0, "b": 1.0, "c": 1.0},)])
def test_a_hook_that_returns_other_keys(changed):
    net = Named()
    net.register_full_backward_hook(lambda m, gi, go: changed)
    with pytest.raises(ValueError, match=r"a backward hook of Named returned .* keys 'a', 'b', 'n'"):
        net(arguments())["product"].backward()


@dataclass
class Output:
    logits: mg.Tensor


def test_an_output_that_hides_its_tensors_is_refused_by_name():
    class Wrapped(nn.Module):
        def forward(self, x):
            return Output(x * 2.0)

    net = Wrapped()
    assert net(mg.tensor(1.0)).logits.item() == 2.0
    net.register_full_backward_hook(lambda m, gi, go: None)
    with pytest.raises(TypeError, match=r"Wrapped.*backward hook.*Output.*tensor, or a tuple, list or dict"):
        net(mg.tensor(1.0, requires_grad=True))
