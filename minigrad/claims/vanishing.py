"""Where gradients vanish and explode, and that clipping does nothing for those that vanish."""

import numpy as np

import minigrad as mg
from minigrad import hooks, nn, optim, tasks, theory
from minigrad.claims.claim import Claim, enter
from minigrad.claims.drawing import COLOURS, bars, lines
from minigrad.claims.nets import deep_net, gradients, profile
from minigrad.experiments.experiment import Expected
from minigrad.nn import functional as F
from minigrad.norms import norm

DEPTH, WIDTH = 50, 64


def sigmoid_net(rng):
    """Return a net of 50 sigmoid layers, Var(W) = 1/n (Glorot's choice), and a batch for it."""
    return deep_net(nn.Sigmoid, DEPTH, WIDTH, rng=rng), rng.normal(size=(32, WIDTH))


@enter
class ClipVanishing(Claim):
    """The gradient of 50 sigmoid layers, before and after clips by norm.

    A clip multiplies by min(1, c / ||g||) (Pascanu, Mikolov, Bengio 2013): never by more than 1, and every layer by
    the same number, so the ratio of the first layer to the last stays.  A clip by value can only make large elements
    smaller: the ratio improves by what the last layer loses, while the first layer gains nothing.

    How much vanishes is the mean-field slope, ||delta_l||^2 falling by chi_1 = E[sigma'(z)^2] per layer (Schoenholz et
    al. 2017).  The ratio over 49 layers is somewhat below chi_1^(49/2) = 1.9e-31, since what comes into the first layer
    has mean 0, so that its gradient is a sum over the batch with many signs; all others have inputs near 1/2.  Nets of
    64 units scatter: seeds 0 to 9 gave 7e-33 to 7e-32.
    """

    id = "clip-vanishing"
    text = "Clipping cures vanishing gradients: it keeps them from becoming too small."
    articles = ("000", "001", "002", "004")
    question = "Is any gradient larger after a clip than before, or the first layer's nearer to the last's?"
    title = "Gradient norm per layer, 50 sigmoid layers"
    expected_verdict = "false"
    expected = (
        Expected("first / last layer", 1.7e-32, "a separate computation", 10, "factor"),
        Expected("decades per layer, layers 2 to 50", np.log10(theory.chi_1("sigmoid", 1.0)) / 2,
                 "log10(chi_1) / 2 (Schoenholz et al. 2017)", 0.02),
        Expected("largest change of that ratio by norm clips", 0.0, "one factor for all layers", 1e-14),
        Expected("largest factor on any layer", 1.0, "min(1, c / ||g||)", kind="at most"),
    )

    def measure(self, seed):
        net, x = sigmoid_net(np.random.default_rng(seed))
        grads = gradients(net, net(x).pow(2).mean())
        before, length = profile(grads), norm(grads.values())
        clips = {f"norm clip at {share:g} of the norm": hooks.ClipNorm(share * length) for share in (2, 0.5, 1e-3)}
        clips["value clip"] = hooks.ClipValue(float(np.median(abs(grads[f"{2 * DEPTH - 2}.weight"]))))
        after = {name: profile(hooks.apply_hooks([clip], grads)) for name, clip in clips.items()}
        ratio = before[0] / before[-1]
        changes = [abs(p[0] / p[-1] / ratio - 1) for name, p in after.items() if "norm" in name]
        slope = np.polyfit(np.arange(2, DEPTH + 1), np.log10(before[1:]), 1)[0]
        return ({"first / last layer": ratio, "decades per layer, layers 2 to 50": -float(slope),
                 "largest change of that ratio by norm clips": max(changes),
                 "largest factor on any layer": max((p / before).max() for p in after.values()),
                 "factor of the value clip on the first layer": after["value clip"][0] / before[0]},
                {"before": before, "after": after["norm clip at 0.001 of the norm"], "value": after["value clip"]})

    def decide(self, n):
        larger = n["largest factor on any layer"] > 1 + 1e-9
        nearer = n["largest change of that ratio by norm clips"] > 1e-9
        return "holds" if larger and nearer else "depends" if larger or nearer else "false"

    def say(self, n):
        return (f"The first layer's gradient is {n['first / last layer']:.1e} of the last's; norm clips change that "
                f"ratio by at most {n['largest change of that ratio by norm clips']:.0e} of it, and no clip multiplies "
                f"a layer by more than {n['largest factor on any layer']:.3g}.")

    def draw(self, ax, arrays, n):
        layers = np.arange(1, DEPTH + 1)
        predicted = arrays["before"][-1] * theory.chi_1("sigmoid", 1.0) ** ((DEPTH - layers) / 2)
        lines(ax, {"before clipping": (layers, arrays["before"]), "after a norm clip": (layers, arrays["after"]),
                   "after a value clip": (layers, arrays["value"]), "predicted slope": (layers, predicted)},
              "layer", "||dL/dW||", "y", [{"lw": 3}, {}, {}, {"ls": "--", "color": "black", "lw": 1.2}])


@enter
class WhereItVanishes(Claim):
    """||dL/dh|| of each layer, in a net where it vanishes (sigmoid) and one where it explodes (tanh, Var(W) = 3/n).

    The gradient is made at the loss and goes back: delta_l = W^T (delta_(l+1) phi'), so what vanishes and what explodes
    is found at the far end, the first layers, by one and the same product of matrices.
    """

    id = "where-it-vanishes"
    text = "Gradients vanish in the deeper layers, far from the input, and explode in the shallow ones."
    articles = ("002",)
    question = "In which layer is the gradient smallest where it vanishes, and largest where it explodes?"
    title = "||dL/dh|| per layer"
    expected_verdict = "false"
    expected = (Expected("layer of the smallest, vanishing", 1, "delta is a product from the loss back", 0),
                Expected("layer of the largest, exploding", 1, "the same product", 3))

    def measure(self, seed):
        rng, arrays = np.random.default_rng(seed), {}
        for name, kind, gain in (("vanishing", nn.Sigmoid, 1.0), ("exploding", nn.Tanh, 3 ** 0.5)):
            net, h, states = deep_net(kind, DEPTH, WIDTH, gain, bias=0.05 ** 0.5, rng=rng), None, []
            h = mg.tensor(rng.normal(size=(32, WIDTH)))
            for layer in net:
                h = layer(h)
                if isinstance(layer, kind):
                    states.append(h)
            arrays[name] = np.array([norm([g.data]) for g in mg.grad(h.pow(2).mean(), states)])
        return {"layer of the smallest, vanishing": int(np.argmin(arrays["vanishing"])) + 1,
                "layer of the largest, exploding": int(np.argmax(arrays["exploding"])) + 1,
                "first / last, vanishing": arrays["vanishing"][0] / arrays["vanishing"][-1],
                "first / last, exploding": arrays["exploding"][0] / arrays["exploding"][-1], "layers": DEPTH}, arrays

    def decide(self, n):
        vanishes_deep = n["layer of the smallest, vanishing"] > n["layers"] / 2
        explodes_shallow = n["layer of the largest, exploding"] <= n["layers"] / 2
        return "holds" if vanishes_deep and explodes_shallow else "false"

    def say(self, n):
        return (f"Both happen near the input: of {n['layers']} layers the smallest gradient is that of layer "
                f"{n['layer of the smallest, vanishing']} where it vanishes (first/last "
                f"{n['first / last, vanishing']:.0e}), the largest that of layer "
                f"{n['layer of the largest, exploding']} where it explodes ({n['first / last, exploding']:.0e}).")

    def draw(self, ax, arrays, n):
        layers = np.arange(1, DEPTH + 1)
        lines(ax, {f"{name}: {what}": (layers, arrays[name] / arrays[name][-1])
                   for name, what in (("exploding", "tanh, Var(W) = 3/n"), ("vanishing", "sigmoid, Var(W) = 1/n"))},
              "layer (1 is at the input)", "share of the last layer's", "y")


@enter
class VanishingStalls(Claim):
    """400 updates of SGD, lr = 0.5, on 64 digits: 50 layers of sigmoid, and 2; the way of the first weights and the
    loss.

    A weight moves by lr times its gradient.  Where that is 1e-32 of the last layer's, the first layers stay as they
    were drawn, to the last bit, and the net guesses: its loss stays near ln 10 = 2.303.
    """

    id = "vanishing-stalls"
    text = "Where gradients vanish, parameters are hardly updated and training stands still."
    articles = ("000", "002", "004")
    question = "How far do the first layer's weights move in a deep sigmoid net, and how far does the loss fall?"
    title = "Loss on 64 digits, sigmoid nets"
    expected_verdict = "holds"
    expected = (Expected("relative way of the first weights, 50 layers", 1e-25, "lr times a gradient of 1e-32",
                         kind="at most"),
                Expected("loss at the end, 50 layers", np.log(10), "a net that guesses", 0.1),
                Expected("loss at the end, 2 layers", 2.0, "a net that learns", kind="at most"))

    def measure(self, seed):
        x, y = tasks.digits("train").sample(np.random.default_rng(seed), 64)
        x, numbers, arrays = x.reshape(64, 64), {}, {}
        for depth in (DEPTH, 2):
            rng, losses = np.random.default_rng(seed), []
            net = nn.Sequential(*deep_net(nn.Sigmoid, depth, WIDTH, rng=rng), nn.Linear(WIDTH, 10, rng=rng))
            opt, first = optim.SGD(net.parameters(), lr=0.5), net[0].weight.data
            for _ in range(400):
                opt.zero_grad()
                loss = F.cross_entropy(net(x), y)
                loss.backward()
                opt.step()
                losses.append(loss.item())
            numbers[f"relative way of the first weights, {depth} layers"] = (norm([net[0].weight.data - first])
                                                                             / norm([first]))
            numbers[f"loss at the end, {depth} layers"], arrays[f"{depth} layers"] = losses[-1], np.array(losses)
        return numbers, arrays

    def decide(self, n):
        way = "relative way of the first weights"
        still = n[f"{way}, 50 layers"] < 1e-3 * n[f"{way}, 2 layers"]
        return "holds" if still and n["loss at the end, 50 layers"] > n["loss at the end, 2 layers"] + 0.1 else "false"

    def say(self, n):
        return (f"In 400 updates the first weights of 50 sigmoid layers move by "
                f"{n['relative way of the first weights, 50 layers']:.2g} of their length and the loss ends at "
                f"{n['loss at the end, 50 layers']:.2f}; of 2 layers, "
                f"{n['relative way of the first weights, 2 layers']:.2f} and {n['loss at the end, 2 layers']:.2f}.")

    def draw(self, ax, arrays, n):
        lines(ax, arrays, "update", "loss")
        ax.axhline(np.log(10), color="black", ls="--", lw=1.2, label="guessing: ln 10")
        ax.legend()


@enter
class Recurrent(Claim):
    """dL/dh_1 against dL/dh_T of tanh RNNs over 100 steps, from PyTorch's default weights up to a gain of 2.

    Through time the same matrix acts at every step, so a rate a little off 1 becomes its 100th power: the rate is
    half of ln chi for W = g orthogonal (Chen, Pennington, Schoenholz 2018), and for PyTorch's U(-1/sqrt n, 1/sqrt n),
    that is g = 1/sqrt 3, below ln g.
    """

    id = "rnn-prone"
    text = "Recurrent nets are prone to gradients that explode or vanish."
    articles = ("004",)
    question = "How many orders of magnitude lie between dL/dh_1 and dL/dh_T of a plain RNN?"
    title = "dL/dh over 100 steps, plain tanh RNN"
    expected_verdict = "holds"
    gains = (("PyTorch's default", None), ("orthogonal, gain 1", 1.0), ("orthogonal, gain 2", 2.0))
    expected = (Expected("decades over 100 steps, orthogonal, gain 2", 100 * 0.1532 / np.log(10),
                         "ln(chi)/2 at g = 2, sigma_u = .1 (Chen, Pennington, Schoenholz 2018)", 1.0),)

    def measure(self, seed):
        steps, hidden, numbers, arrays = 100, 64, {}, {}
        for name, gain in self.gains:
            rng = np.random.default_rng(seed)
            rnn = nn.RNN(1, hidden, rng=rng)
            if gain is not None:
                nn.init.orthogonal_(rnn.weight_hh_l0, gain, rng=rng)
                nn.init.normal_(rnn.weight_ih_l0, std=0.1, rng=rng)
                for bias in (rnn.bias_ih_l0, rnn.bias_hh_l0):
                    nn.init.zeros_(bias)
            lengths = np.zeros(steps)
            rnn.register_step_hook(lambda g, t, into=lengths: into.__setitem__(t, norm([g.data])))
            _, last = rnn(rng.normal(size=(steps, 16, 1)))
            (last * rng.normal(size=last.shape)).mean().backward()
            arrays[name] = lengths / lengths[-1]
            numbers[f"decades over 100 steps, {name}"] = float(np.log10(arrays[name][0]) * steps / (steps - 1))
        return numbers, arrays

    def decide(self, n):
        worst = [abs(value) for value in n.values()]
        return "holds" if max(worst) > 3 else "false"

    def say(self, n):
        return "Over 100 steps dL/dh changes by " + ", ".join(
            f"{value:+.1f} decades ({name.partition(', ')[2]})" for name, value in n.items()) + "."

    def draw(self, ax, arrays, n):
        lines(ax, {name: (np.arange(1, 101), array) for name, array in arrays.items()}, "time step t",
              "||dL/dh_t|| / ||dL/dh_T||", "y")


@enter
class Resolution(Claim):
    """dL/dh through 12 convolutions of 8 channels, 3 x 3, ReLU, He's weights, on images of side 8 to 48.

    Each place of the image sends its gradient back by the same kernels, so the rate per layer is a matter of the
    kernels and of Var(W), not of how many places there are: He, Zhang, Ren, Sun 2015.  Only the border changes it, for
    with zero padding what leaves the image is lost, and the border is a larger part of a small image: large images
    lose less.  What a bad choice of weights does at one and the same resolution stands beside it: half the standard
    deviation costs a factor 2 per layer.
    """

    id = "resolution"
    text = "Convolutional nets on images of high resolution easily have gradients that explode or vanish."
    articles = ("004",)
    question = "Does the change of the gradient per layer grow with the resolution?"
    title = "Gradient through 12 convolutions"
    expected_verdict = "false"
    expected = (Expected("decades per layer with half the weights", -np.log10(2), "a factor 1/2 per layer more", 0.07),)
    sides, depth = (8, 16, 32, 48), 12

    def slope(self, side, gain, seed):
        """Return decades per layer that the gradient grows on its way back."""
        rng = np.random.default_rng(seed)
        h, states = mg.tensor(rng.normal(size=(2, 8, side, side))), []
        for _ in range(self.depth):
            conv = nn.Conv2d(8, 8, 3, padding=1, bias=False, rng=rng)
            nn.init.normal_(conv.weight, std=gain * (2 / 72) ** 0.5, rng=rng)
            h = conv(h).relu()
            states.append(h)
        first, last = mg.grad((h * rng.normal(size=h.shape)).mean(), [states[0], states[-1]])
        return float(np.log10(norm([first.data]) / norm([last.data])) / (self.depth - 1))

    def measure(self, seed):
        slopes = np.array([[self.slope(side, 1.0, seed + k) for k in range(6)] for side in self.sides])
        halved = np.mean([self.slope(16, 0.5, seed + k) for k in range(6)])
        numbers = {f"decades per layer at {side} x {side}": float(s.mean()) for side, s in zip(self.sides, slopes)}
        numbers["decades per layer with half the weights"] = float(halved)
        return numbers, {"sides": np.array(self.sides), "slopes": slopes}

    def decide(self, n):
        by_side = [n[f"decades per layer at {side} x {side}"] for side in self.sides]
        worse = abs(by_side[-1]) - abs(by_side[0])
        return "holds" if worse > 0.05 else "false"

    def say(self, n):
        low, high = self.sides[0], self.sides[-1]
        return (f"The gradient changes by {n[f'decades per layer at {low} x {low}']:+.3f} decades per layer at "
                f"{low} x {low} and {n[f'decades per layer at {high} x {high}']:+.3f} at {high} x {high}; halving the "
                f"weights makes it {n['decades per layer with half the weights']:+.3f}.")

    def draw(self, ax, arrays, n):
        values = {f"{s} x {s}": n[f"decades per layer at {s} x {s}"] for s in self.sides}
        values["16 x 16,|half the weights"] = n["decades per layer with half the weights"]
        bars(ax, values, "decades per layer, backward", [COLOURS[1]] * len(self.sides) + [COLOURS[0]], form="{:+.3f}")
