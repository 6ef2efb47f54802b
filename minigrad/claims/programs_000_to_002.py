"""The programs printed in articles 000 to 002: what each does, written anew, beside one that does what it says.

Everything here is our own wording of their logic, on minigrad; names that a program uses and never sets are not set
here either.
"""

import math

import numpy as np

import minigrad as mg
from minigrad import nn, optim, penalty, tasks
from minigrad.claims.claim import Claim, enter
from minigrad.claims.drawing import COLOURS, lines
from minigrad.claims.nets import digits_net
from minigrad.experiments.experiment import Expected
from minigrad.nn import functional as F
from minigrad.nn.utils import clip_grad_norm_
from minigrad.norms import norm


def digits_gradient(seed, width=32):
    """Return a net with the gradient of a batch of digits in its parameters."""
    rng = np.random.default_rng(seed)
    net = digits_net(width, rng)
    x, y = tasks.digits("train").sample(rng, 64)
    F.cross_entropy(net(x), y).backward()
    return net


def gradient_norm(net):
    """Return the norm of all gradients in a net's parameters."""
    return norm([p.grad.data for p in net.parameters()])


# ------------------------------------------------------------------------------------------------------- article 000

@enter
class TwoWords(Claim):
    """Article 000's two programs, for "jianqie" (against explosion) and for "caijian" (against vanishing).

    A net 10 - 50 - 1 on 100 random examples, SGD, the norm clipped at 1 in each update: both programs are that one.  So
    are their formulas, which leave a gradient below the threshold as it is.
    """

    id = "two-words"
    text = "The two Chinese words for clipping name two methods, one against explosion and one against vanishing."
    articles = ("000",)
    question = "Do the two programs give different weights, and does the second lengthen a short gradient?"
    expected_verdict = "false"
    expected = (Expected("largest difference of the weights", 0.0, "one program, printed twice", 0),
                Expected("a gradient of 1e-6 after the second", 1e-6, "below the threshold nothing happens", 0))

    def against_explosion(self, parameters):
        clip_grad_norm_(parameters, 1.0)

    def against_vanishing(self, parameters):
        clip_grad_norm_(parameters, 1.0)

    def measure(self, seed):
        ends = []
        for method in (self.against_explosion, self.against_vanishing):
            rng = np.random.default_rng(seed)
            net = nn.Sequential(nn.Linear(10, 50, rng=rng), nn.ReLU(), nn.Linear(50, 1, rng=rng))
            x, y = rng.normal(size=(100, 10)), rng.normal(size=(100, 1))
            opt = optim.SGD(net.parameters(), lr=0.01)
            for _ in range(50):
                opt.zero_grad()
                F.mse_loss(net(x), y).backward()
                method(net.parameters())
                opt.step()
            ends.append([p.data for p in net.parameters()])
        short = mg.tensor([0.0], requires_grad=True)
        short.grad = [1e-6]
        self.against_vanishing([short])
        return {"largest difference of the weights": max(float(abs(a - b).max()) for a, b in zip(*ends)),
                "a gradient of 1e-6 after the second": float(short.grad.data[0])}, {}

    def decide(self, n):
        same = n["largest difference of the weights"] == 0 and n["a gradient of 1e-6 after the second"] <= 1e-6
        return "false" if same else "holds"

    def say(self, n):
        return (f"After 50 updates the weights of the two programs differ by "
                f"{n['largest difference of the weights']:g}, and "
                f"the one against vanishing leaves a gradient of 1e-6 at {n['a gradient of 1e-6 after the second']:g}.")


# ------------------------------------------------------------------------------------------------------- article 001

def clip_as_in_001(net, limit, keep_list=False):
    """Article 001's function for PyTorch: it counts parameters, collects gradients, and clips the gradients' gradients.

    In PyTorch ``parameters()`` is a generator, so that after the count there is nothing left to collect; with
    ``keep_list`` that is mended, and what is wrong still is that a clip wants the parameters.
    """
    owners = list(net.parameters())
    source = owners if keep_list else iter(owners)
    if sum(math.prod(p.shape) for p in source) > 1_000_000:
        return
    clip_grad_norm_([p.grad for p in source if p.grad is not None], limit)


@enter
class ClipsPyTorch(Claim):
    """Article 001's function for PyTorch, on a net for digits and on one of more than a million parameters.

    Four faults.  It uses ``np`` and never imports it; the count uses up the generator of parameters; then gradients
    are handed over where parameters are wanted, and gradients have no gradients; and above a million parameters it
    returns at once.  The corrected one is a single call, ``clip_grad_norm_(net.parameters(), limit)``.
    """

    id = "program-001-pytorch"
    text = "The PyTorch program of article 001 clips the gradient."
    articles = ("001",)
    question = "Is the norm at most the limit after its function was called?"
    expected_verdict = "false"
    expected = (*(Expected(f"norm after / before, {case}", 1.0, "nothing is touched", 0)
                  for case in ("as printed", "the generator mended", "above a million parameters")),
                Expected("norm after / before, corrected", 0.5, "the limit is half the norm", 1e-5))

    def measure(self, seed):
        numbers = {}
        for case, width, clip in (("as printed", 32, clip_as_in_001),
                                  ("the generator mended", 32, lambda net, c: clip_as_in_001(net, c, keep_list=True)),
                                  ("above a million parameters", 13_400, clip_as_in_001),
                                  ("corrected", 32, lambda net, c: clip_grad_norm_(net.parameters(), c))):
            net = digits_gradient(seed, width)
            before = gradient_norm(net)
            clip(net, before / 2)
            numbers[f"norm after / before, {case}"] = gradient_norm(net) / before
        return numbers, {}

    def decide(self, n):
        return "holds" if n["norm after / before, as printed"] < 0.51 else "false"

    def say(self, n):
        return (f"With a limit of half the norm, the norm after / before is {n['norm after / before, as printed']:g} "
                f"as "
                f"printed, {n['norm after / before, the generator mended']:g} with the generator mended, "
                f"{n['norm after / before, above a million parameters']:g} above a million parameters, and "
                f"{n['norm after / before, corrected']:.3g} corrected.")


@enter
class ClipsTensorFlow(Claim):
    """Article 001's function for TensorFlow: it looks for an attribute ``grad`` of each layer, and is never called.

    Layers have no such attribute, neither in Keras nor here: gradients belong to variables, or to a tape.  Beside
    that, the net ends in a softmax and its loss expects logits: probabilities in [0, 1] taken for logits leave the loss
    above ln(e + 9) - 1 = 1.461, however sure the net is.
    """

    id = "program-001-tensorflow"
    text = "The TensorFlow program of article 001 clips the gradient."
    articles = ("001",)
    question = "How many layers have what it clips, and how small can its loss become?"
    expected_verdict = "false"
    expected = (Expected("layers with an attribute grad", 0, "gradients belong to variables", 0),
                Expected("norm after / before, as printed", 1.0, "nothing is touched", 0),
                Expected("norm after / before, corrected", 0.5, "the limit is half the norm", 1e-5),
                Expected("smallest loss with softmax taken for logits", math.log(math.e + 9) - 1,
                         "ln(e + 9) - 1", 1e-12))

    def measure(self, seed):
        net = digits_gradient(seed)
        before = gradient_norm(net)
        found = [layer for layer in net if hasattr(layer, "grad")]
        length = norm([layer.grad for layer in found])
        if length > before / 2:
            for layer in found:
                layer.grad = layer.grad * (before / 2 / length)
        printed = gradient_norm(net) / before
        clip_grad_norm_(net.parameters(), before / 2)
        sure = F.cross_entropy(mg.tensor(np.eye(10)), np.arange(10))
        return {"layers with an attribute grad": len(found), "norm after / before, as printed": printed,
                "norm after / before, corrected": gradient_norm(net) / before,
                "smallest loss with softmax taken for logits": sure.item()}, {}

    def decide(self, n):
        return "holds" if n["norm after / before, as printed"] < 0.51 else "false"

    def say(self, n):
        return (f"{n['layers with an attribute grad']} layers have the attribute that it scales, so the norm after / "
                f"before "
                f"is {n['norm after / before, as printed']:g} (corrected {n['norm after / before, corrected']:.3g}); "
                f"and "
                f"its loss cannot fall below {n['smallest loss with softmax taken for logits']:.3f}.")


# ------------------------------------------------------------------------------------------------------- article 002

def regression(seed):
    """Return X (60, 4) and y (60,) of a linear regression."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(60, 4))
    return X, X @ [3.0, -2.0, 1.0, 0.5] + rng.normal(size=60)


def descend_as_in_002(X, y, change, steps, eta=None):
    """Article 002's descent: eta and the number of rows are never set; ``change`` is what it does to the gradient."""
    theta, path, count = np.zeros(X.shape[1]), [], len(X) if eta else rows  # noqa: F821
    for _ in range(steps):
        g = 2 / count * X.T @ (X @ theta - y)
        theta = theta - eta * change(g)
        path.append(theta)
    return np.array(path)


@enter
class Clips002(Claim):
    """Article 002's program for clipping by value, on a linear regression: the number of rows and eta are never set.

    Python stops at the first of these names.  With both set it is what it is said to be: no step is longer than eta
    times the threshold in any coordinate, and it arrives.
    """

    id = "program-002-clip"
    text = "The clipping program of article 002 trains a linear regression."
    articles = ("002",)
    question = "Does it run, and does it bound its steps once the missing names are there?"
    expected_verdict = "depends"
    expected = (Expected("runs as printed", 0, "a NameError", 0),
                Expected("largest step in a coordinate", 0.05 * 0.5, "eta times the threshold", 1e-12),
                Expected("distance from least squares", 0.0, "it arrives", 1e-9))

    def measure(self, seed):
        X, y = regression(seed)
        clip = lambda g: np.clip(g, -0.5, 0.5)
        try:
            runs = len(descend_as_in_002(X, y, clip, 10)) > 0
        except NameError:
            runs = False
        path = descend_as_in_002(X, y, clip, 1000, eta=0.05)
        best = np.linalg.lstsq(X, y, rcond=None)[0]
        return {"runs as printed": int(runs),
                "largest step in a coordinate": float(abs(np.diff(path, axis=0)).max()),
                "distance from least squares": float(np.linalg.norm(path[-1] - best))}, {}

    def decide(self, n):
        right = n["largest step in a coordinate"] <= 0.05 * 0.5 * (1 + 1e-9) and n["distance from least squares"] < 1e-6
        return "holds" if n["runs as printed"] and right else "depends" if right else "false"

    def say(self, n):
        how = "runs" if n["runs as printed"] else "stops with a NameError"
        return (f"As printed it {how}; with the missing names its steps are at most "
                f"{n['largest step in a coordinate']:.3g} in a coordinate and it ends "
                f"{n['distance from least squares']:.0e} from least squares.")


@enter
class Regularises(Claim):
    """Article 002's regularised gradient, sign(g) |g| l1 + g l2, against its formula L + lambda ||g||_p.

    sign(g) |g| is g, so that it is (l1 + l2) g: plain descent at (l1 + l2) times the learning rate.  The
    gradient of the formula is g + lambda H d (Pearlmutter 1994), with H = 2 X'X / m and d = g / ||g|| or sign(g),
    by double backward.
    """

    id = "program-002-regularise"
    text = "The regularisation program of article 002 adds the gradient's norm to the loss."
    articles = ("002",)
    question = "Is its descent that on L + lambda ||g||, or plain descent at another learning rate?"
    title = "Linear regression, 40 updates: L"
    expected_verdict = "false"
    l1, l2, eta = 0.1, 0.2, 0.1
    expected = (Expected("difference to plain descent at (l1 + l2) eta", 0.0, "sign(g) |g| = g", 1e-12),
                Expected("difference to descent on the formula", 0.1, "another gradient", kind="at least"),
                Expected("error of the formula's gradient", 0.0, "g + lambda H g / ||g||, formed by hand", 1e-12))

    def measure(self, seed):
        X, y = regression(seed)
        printed = descend_as_in_002(X, y, lambda g: np.sign(g) * np.abs(g) * self.l1 + g * self.l2, 40, self.eta)
        plain = descend_as_in_002(X, y, lambda g: g, 40, self.eta * (self.l1 + self.l2))
        w = mg.tensor(np.zeros(4), requires_grad=True)
        opt, formula, wrong = optim.SGD([w], lr=self.eta), [], 0.0
        for _ in range(40):
            opt.zero_grad()
            loss = ((X @ w - y) ** 2).mean()
            (loss + penalty.grad_norm_penalty(loss, [w], self.l2)).backward()
            g, H = 2 / len(X) * X.T @ (X @ w.data - y), 2 / len(X) * X.T @ X
            by_hand = g + self.l2 * H @ g / np.linalg.norm(g)
            wrong = max(wrong, float(np.linalg.norm(w.grad.data - by_hand) / np.linalg.norm(by_hand)))
            opt.step()
            formula.append(w.data)
        loss = lambda path: ((path @ X.T - y) ** 2).mean(axis=1)
        return {"difference to plain descent at (l1 + l2) eta": float(abs(printed - plain).max()),
                "difference to descent on the formula": float(np.linalg.norm(printed - formula, axis=1).max()),
                "error of the formula's gradient": wrong}, {
                    "as printed": loss(printed), "plain, 0.3 times the rate": loss(plain),
                    "L + 0.2 ||g||, double backward": loss(np.array(formula))}

    def decide(self, n):
        plain = n["difference to plain descent at (l1 + l2) eta"] < 1e-9
        return "holds" if n["difference to descent on the formula"] < 1e-9 and not plain else "false"

    def say(self, n):
        return (f"It is plain descent at {self.l1 + self.l2:g} times the learning rate, to "
                f"{n['difference to plain descent at (l1 + l2) eta']:.0e}; descent on the formula beside it goes "
                f"elsewhere, up "
                f"to {n['difference to descent on the formula']:.2f} away.")

    def draw(self, ax, arrays, n):
        lines(ax, arrays, "update", "L", "y", [{"lw": 4}, {"ls": "--", "color": "black"}, {"color": COLOURS[2]}])
