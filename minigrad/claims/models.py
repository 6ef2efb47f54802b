"""The model itself: how many parameters, what can be clipped at all, what there is to clip at test time."""

import numpy as np

import minigrad as mg
from minigrad import hooks, nn, optim, tasks
from minigrad.claims.claim import Claim, enter
from minigrad.claims.nets import digits_net, gradients
from minigrad.experiments.experiment import Expected
from minigrad.nn import functional as F
from minigrad.norms import cosine, norm

CLIP = 0.5


def trained(seed, clips=(), updates=150, width=32, lr=0.3, make=optim.SGD):
    """Train a small net on handwritten digits; return it and the images it was not trained on."""
    rng = np.random.default_rng(seed)
    net, train, test = digits_net(width, rng), tasks.digits("train"), tasks.digits("test")
    opt = make(net.parameters(), lr=lr, hooks=list(clips))
    for _ in range(updates):
        x, y = train.sample(rng, 32)
        opt.zero_grad()
        F.cross_entropy(net(x), y).backward()
        opt.step()
    return net, test


@enter
class FewerParameters(Claim):
    """A net for digits: its parameters, and the operations on its tape, with and without clipping, before and after.

    A clip is between the gradient and the update.  It takes a pass over the gradient for the norm, and one more where
    it acts; nothing is taken out of the model, so the trained one costs what it did.
    """

    id = "fewer-parameters"
    text = "Gradient clipping reduces the number of parameters and the computing that the model needs."
    articles = ("001", "003")
    question = "How many parameters and operations does a net have, trained without and with clipping?"
    expected_verdict = "false"
    expected = (Expected("parameters after, clipped", 64 * 32 + 32 + 32 * 10 + 10, "weights and biases, counted", 0),
                Expected("operations per image batch, clipped", 4, "linear, relu, linear, loss (flatten is a view)", 0))

    def measure(self, seed):
        numbers = {}
        for name, clips in (("plain", ()), ("clipped", (hooks.ClipNorm(CLIP),))):
            before = sum(p.size for p in digits_net(32, np.random.default_rng(seed)).parameters())
            net, test = trained(seed, clips, updates=20)
            numbers[f"parameters before, {name}"] = before
            numbers[f"parameters after, {name}"] = sum(p.size for p in net.parameters())
            numbers[f"operations per image batch, {name}"] = operations(F.cross_entropy(net(test.x[:8]), test.y[:8]))
        return numbers, {}

    def decide(self, n):
        fewer = (n["parameters after, clipped"] < n["parameters before, clipped"]
                 or n["operations per image batch, clipped"] < n["operations per image batch, plain"])
        return "holds" if fewer else "false"

    def say(self, n):
        return (f"The net has {n['parameters before, clipped']} parameters before and "
                f"{n['parameters after, clipped']} after training with a clip, and "
                f"{n['operations per image batch, clipped']} operations on its tape, as without "
                f"({n['operations per image batch, plain']}).")


def operations(loss):
    """Return how many operations are on the tape behind a tensor."""
    seen, todo = set(), [loss]
    while todo:
        node = todo.pop()
        if node._fn is not None and node._number not in seen:
            seen.add(node._number)
            todo += [parent for parent in node._parents if parent is not None]
    return len(seen)


@enter
class Interpretable(Claim):
    """Eight nets for digits, trained with and without a clip.

    The articles name no measure of how well a model can be interpreted.  Of those that are in use, two can be read off
    the weights: the share of weights near zero (below a tenth of the layer's root mean square), since sparse models are
    easier to read, and how few inputs carry most of a unit's weight.  An effect would have one sign in all seeds.
    """

    id = "interpretable"
    text = "Gradient clipping makes a model easier to interpret."
    articles = ("001", "003")
    question = "Are the weights sparser after training with a clip?"
    expected_verdict = "unproven"
    seeds = 8

    def measure(self, seed):
        differences = []
        for k in range(self.seeds):
            plain, clipped = (self.sparsity(trained(seed + k, clips)[0]) for clips in ((), (hooks.ClipNorm(CLIP),)))
            differences.append(clipped - plain)
        differences = np.array(differences)
        return {"change of the share of weights near zero, mean": float(differences.mean()),
                "its standard deviation over seeds": float(differences.std(ddof=1)),
                "seeds in which it rises": int((differences > 0).sum()), "seeds": self.seeds}, {}

    def sparsity(self, net):
        """Return the share of the weights that are below a tenth of their layer's root mean square."""
        layers = [p.data for p in net.parameters() if p.ndim > 1]
        return float(np.mean(np.concatenate([(abs(w) < 0.1 * np.sqrt(np.mean(w ** 2))).ravel() for w in layers])))

    def decide(self, n):
        if n["seeds in which it rises"] == n["seeds"] and n["change of the share of weights near zero, mean"] > 0.02:
            return "holds"
        if n["seeds in which it rises"] == 0 and n["change of the share of weights near zero, mean"] < -0.02:
            return "false"
        return "unproven"

    def say(self, n):
        return (f"No measure is named; the share of weights near zero changes by "
                f"{n['change of the share of weights near zero, mean']:+.4f} on average "
                f"(+- {n['its standard deviation over seeds']:.4f}), up in {n['seeds in which it rises']} of "
                f"{n['seeds']} seeds.")


@enter
class AnyModel(Claim):
    """A step of every combination of four models, two losses and five optimizers, clipped to half its norm.

    A clip sees arrays and knows nothing of where they come from, so that it *applies* everywhere: the norm after it is
    the threshold, and the direction is kept.  That it *helps* everywhere does not follow; the other claims say where.
    """

    id = "any-model"
    text = "Clipping can be applied to every model, loss, optimizer and kind of data, and combined with other methods."
    articles = ("001", "003", "004")
    question = "In how many combinations does it bound the norm and keep the direction?"
    expected_verdict = "holds"
    expected = (Expected("combinations that it bounds", 40, "4 models x 2 losses x 5 optimizers", 0),)

    def measure(self, seed):
        good = count = 0
        for name in ("mlp", "cnn", "rnn", "lstm"):
            for loss in ("cross-entropy", "squares"):
                for make in (optim.SGD, optim.Adam, optim.AdamW, optim.RMSprop, optim.Adagrad):
                    rng = np.random.default_rng(seed)
                    net, out = self.model(name, rng)
                    opt = make(net.parameters(), lr=0.01)
                    y = out(net)
                    value = (F.cross_entropy(y, rng.integers(0, 3, len(y))) if loss == "cross-entropy"
                             else F.mse_loss(y, rng.normal(size=y.shape)))
                    grads = gradients(net, value)
                    length = norm(grads.values())
                    opt.hooks = [hooks.ClipNorm(length / 2), self.keep]
                    opt.step()
                    kept = list(self.kept.values())
                    count += 1
                    good += (abs(norm(kept) / length - 0.5) < 1e-12
                             and cosine(kept, list(grads.values())) > 1 - 1e-12)
        return {"combinations": count, "combinations that it bounds": good}, {}

    def keep(self, grads, ctx):
        """Remember what came through the clip; a hook."""
        self.kept = grads
        return grads

    def model(self, name, rng):
        """Return a net of a kind, and net -> its outputs (8, 3) for data of that kind."""
        if name == "mlp":
            x = rng.normal(size=(8, 5))
            return nn.Sequential(nn.Linear(5, 7, rng=rng), nn.Tanh(), nn.Linear(7, 3, rng=rng)), lambda net: net(x)
        if name == "cnn":
            x = rng.normal(size=(8, 1, 6, 6))
            return nn.Sequential(nn.Conv2d(1, 4, 3, rng=rng), nn.ReLU(), nn.Flatten(),
                                 nn.Linear(64, 3, rng=rng)), lambda net: net(x)
        x = rng.normal(size=(9, 8, 4))
        kind = nn.RNN if name == "rnn" else nn.LSTM
        return kind(4, 3, rng=rng), lambda net: net(x)[0][-1]

    def decide(self, n):
        share = n["combinations that it bounds"] / n["combinations"]
        return "holds" if share == 1 else "depends" if share > 0 else "false"

    def say(self, n):
        return (f"In {n['combinations that it bounds']} of {n['combinations']} combinations of model, loss and "
                f"optimizer "
                f"the norm comes out at the threshold and the direction is kept (whether it helps is another "
                f"question).")


@enter
class TestTime(Claim):
    """A trained net is asked for its answers: whether a clip is in its optimizer or not, no gradient comes to be.

    Under ``no_grad`` there is no tape; and with a tape, nobody goes back over it.  There is nothing to clip.
    """

    id = "test-time"
    text = "Clipping can be used when the model is tested, too, with adjustments."
    articles = ("003",)
    question = "How many gradients are formed when a net is tested?"
    expected_verdict = "meaningless"
    expected = (Expected("gradients formed", 0, "testing ends with the forward pass", 0),
                Expected("largest change of an output", 0.0, "nothing is changed", 0))

    def measure(self, seed):
        net, test = trained(seed, updates=20)
        net.zero_grad()
        with mg.no_grad():
            before = net(test.x).data
            hooks.apply_hooks([hooks.ClipNorm(CLIP)], {name: None for name, _ in net.named_parameters()})
            out = net(test.x)
        return {"gradients formed": sum(p.grad is not None for p in net.parameters()),
                "operations on the tape": operations(out),
                "largest change of an output": float(abs(out.data - before).max())}, {}

    def decide(self, n):
        if n["gradients formed"] == 0:
            return "meaningless"
        return "holds" if n["largest change of an output"] > 0 else "false"

    def say(self, n):
        return (f"Testing forms {n['gradients formed']} gradients and leaves {n['operations on the tape']} operations "
                f"on "
                f"the tape: there is nothing to clip, and the outputs change by "
                f"{n['largest change of an output']:g}.")


