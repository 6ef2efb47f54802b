"""The programs printed in articles 003 and 004: what each does, written anew, beside one that does what it says.

Everything here is our own wording of their logic, on minigrad; names that a program uses and never sets are not set
here either.
"""

import numpy as np

import minigrad as mg
from minigrad import hooks, optim, tasks
from minigrad.claims.claim import Claim, enter
from minigrad.claims.drawing import COLOURS, lines
from minigrad.claims.nets import apart, digits_net, gradients
from minigrad.experiments.experiment import Expected
from minigrad.nn import functional as F

# ------------------------------------------------------------------------------------------------------- article 003

def clip_as_in_003(theta, *limit):
    """Article 003's function: the "gradient" of one number, clipped; the limit is never set."""
    differences = np.gradient(np.sum(theta ** 2))
    bound = limit[0] if limit else epsilon  # noqa: F821
    return theta - np.clip(differences, -bound, bound)


@enter
class Clips003(Claim):
    """Article 003's program: theta of shape (10, 1), L = sum theta^2, np.gradient(L), clipped at an epsilon never set.

    np.gradient forms differences along an array; of one number there are none, and it returns an empty list.  With an
    epsilon, theta minus the empty list has the shape (10, 0): all parameters are gone.  Corrected: dL/dtheta = 2 theta
    by a backward pass, clipped by value; from there |theta_i| falls by lr c per update and then exponentially.
    """

    id = "program-003"
    text = "The program of article 003 clips a gradient and updates the parameters with it."
    articles = ("003",)
    question = "Does it run, what does it call the gradient, and what is left of the parameters?"
    title = "Corrected: descent on the sum of squares, clipped by value at 0.1"
    expected_verdict = "false"
    expected = (Expected("runs as printed", 0, "a NameError", 0),
                Expected("numbers in its gradient", 0, "no differences", 0),
                Expected("parameters left, of 10", 0, "a shape of (10, 0)", 0),
                Expected("largest element of the corrected gradient", 0.1, "the threshold", 1e-12),
                Expected("loss of the corrected descent, last / first", 1e-3, "it arrives", kind="at most"))

    def measure(self, seed):
        theta = np.random.default_rng(seed).random((10, 1))
        try:
            clip_as_in_003(theta)
            runs = 1
        except NameError:
            runs = 0
        w, losses, largest = mg.tensor(theta, requires_grad=True), [], []

        def look(grads, ctx):
            largest.extend(abs(g).max() for g in grads.values())
            return grads

        opt = optim.SGD([w], lr=0.1, hooks=[hooks.ClipValue(0.1), look])
        for _ in range(150):
            opt.zero_grad()
            loss = (w ** 2).sum()
            loss.backward()
            opt.step()
            losses.append(loss.item())
        return {"runs as printed": runs, "numbers in its gradient": len(np.gradient(np.sum(theta ** 2))),
                "parameters left, of 10": clip_as_in_003(theta, 0.1).size,
                "largest element of the corrected gradient": float(max(largest)),
                "loss of the corrected descent, last / first": losses[-1] / losses[0]}, {"loss": np.array(losses)}

    def decide(self, n):
        works = n["runs as printed"] and n["numbers in its gradient"] == 10 and n["parameters left, of 10"] == 10
        return "holds" if works else "false"

    def say(self, n):
        how = "runs" if n["runs as printed"] else "stops with a NameError"
        return (f"As printed it {how}; with epsilon its gradient holds {n['numbers in its gradient']} numbers and "
                f"{n['parameters left, of 10']} of 10 parameters are left. Corrected, no element exceeds "
                f"{n['largest element of the corrected gradient']:.3g} and the loss falls to "
                f"{n['loss of the corrected descent, last / first']:.0e} of the first.")

    def draw(self, ax, arrays, n):
        lines(ax, {"corrected program": arrays["loss"]}, "update", "sum of theta squared", "y", [{"color": COLOURS[1]}])


# ------------------------------------------------------------------------------------------------------- article 004

@enter
class AccumulatesTensorFlow(Claim):
    """Article 004's TensorFlow program: in the loop over four micro-batches one name holds each loss in turn, and what
    is differentiated after the loop is the last of them, divided by four.

    So three of four micro-batches have no effect, and the update is a quarter of that of the last one.  Corrected: an
    Accumulate hook, or a sum of the losses.
    """

    id = "program-004-tensorflow"
    text = "The TensorFlow program of article 004 accumulates gradients."
    articles = ("004",)
    question = "Is its gradient that of the four micro-batches, or a quarter of the last one's?"
    expected_verdict = "false"
    expected = (Expected("difference to a quarter of the last", 0.0, "only the last loss is differentiated", 1e-12),
                Expected("difference to the large batch, as printed", 0.5, "three of four are lost", kind="at least"),
                Expected("difference to the large batch, corrected", 0.0, "linear", 1e-12))

    def measure(self, seed):
        rng = np.random.default_rng(seed)
        net = digits_net(32, rng)
        x, y = tasks.digits("train").sample(rng, 32)
        parts = list(zip(np.split(x, 4), np.split(y, 4)))
        for a, b in parts:
            loss = F.cross_entropy(net(a), b) / 4
        printed = gradients(net, loss)
        pipeline = hooks.Pipeline([hooks.Accumulate(4)])
        for micro, (a, b) in enumerate(parts):
            last = gradients(net, F.cross_entropy(net(a), b))
            right = hooks.apply_hooks(pipeline, last, step=micro)
        large = gradients(net, F.cross_entropy(net(x), y))
        return {"difference to a quarter of the last": apart(printed, {k: g / 4 for k, g in last.items()}),
                "difference to the large batch, as printed": apart(printed, large),
                "difference to the large batch, corrected": apart(right, large)}, {}

    def decide(self, n):
        return "holds" if n["difference to the large batch, as printed"] < 1e-6 else "false"

    def say(self, n):
        return (f"Its gradient is a quarter of the last micro-batch's, to "
                f"{n['difference to a quarter of the last']:.0e}, and off that of all four by "
                f"{n['difference to the large batch, as printed']:.0%}; corrected it is the large batch's, to "
                f"{n['difference to the large batch, corrected']:.0e}.")


@enter
class AccumulatesPyTorch(Claim):
    """Article 004's PyTorch program with gradients 1, 2, 3, 4, 5 and windows of 2, over two epochs; and with 1, 2, 3,
    4.

    Where the window divides the number of micro-batches it is right.  Otherwise the last ones take part in no update
    of their epoch, and since nothing is cleared, in the first one of the next: (5 + 1 + 2) / 2 = 4 instead of 1.5.
    Corrected: ``Accumulate(2)`` and ``opt.flush()`` at the end of the epoch, which divides by what did arrive: 5.
    """

    id = "program-004-pytorch"
    text = "The PyTorch program of article 004 accumulates the gradients of all micro-batches."
    articles = ("004",)
    question = "Are its updates the means of the windows, where the window divides the epoch and where it does not?"
    expected_verdict = "depends"
    expected = (Expected("updates of 2 epochs of 4, wrong", 0, "2 divides 4", 0),
                Expected("first update of the second epoch of 5, as printed", 4.0, "(5 + 1 + 2) / 2", 1e-12),
                Expected("first update of the second epoch of 5, corrected", 1.5, "(1 + 2) / 2", 1e-12),
                Expected("last update of the first epoch of 5, corrected", 5.0, "divided by what arrived", 1e-12))

    def printed(self, stream, epochs):
        """Return its updates."""
        w = mg.tensor(0.0, requires_grad=True)
        opt, places = optim.SGD([w], lr=1.0), [0.0]
        for _ in range(epochs):
            for place, g in enumerate(stream, 1):
                (w * g / 2).backward()
                if place % 2 == 0:
                    opt.step()
                    opt.zero_grad()
                    places.append(w.item())
        return -np.diff(places)

    def corrected(self, stream, epochs):
        """Return the updates with an Accumulate hook and a flush after each epoch."""
        w = mg.tensor(0.0, requires_grad=True)
        opt, places = optim.SGD([w], lr=1.0, hooks=[hooks.Accumulate(2)]), [0.0]
        for _ in range(epochs):
            for g in stream:
                opt.zero_grad()
                (w * g).backward()
                opt.step()
                places.append(w.item())
            opt.flush()
            places.append(w.item())
        steps = -np.diff(places)
        return steps[steps != 0]

    def measure(self, seed):
        even, odd = [1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0, 5.0]
        printed, right = self.printed(odd, 2), self.corrected(odd, 2)
        return {"updates of 2 epochs of 4, wrong": int(np.sum(self.printed(even, 2) != self.corrected(even, 2))),
                "updates of an epoch of 5, as printed": len(self.printed(odd, 1)),
                "updates of an epoch of 5, corrected": len(self.corrected(odd, 1)),
                "first update of the second epoch of 5, as printed": float(printed[2]),
                "first update of the second epoch of 5, corrected": float(right[3]),
                "last update of the first epoch of 5, corrected": float(right[2])}, {}

    def decide(self, n):
        odd = (n["first update of the second epoch of 5, as printed"]
               == n["first update of the second epoch of 5, corrected"])
        even = n["updates of 2 epochs of 4, wrong"] == 0
        return "holds" if odd and even else "depends" if odd or even else "false"

    def say(self, n):
        return (f"Of epochs of 4 in windows of 2, {n['updates of 2 epochs of 4, wrong']} updates are wrong; of epochs "
                f"of 5 "
                f"the fifth is held over, and the first update of the next epoch is "
                f"{n['first update of the second epoch of 5, as printed']:g} instead of "
                f"{n['first update of the second epoch of 5, corrected']:g}.")
