"""Numbers that end: NaN, inf, and what float16 does not hold."""

import numpy as np

import minigrad as mg
from minigrad import hooks, nn, theory
from minigrad.claims.claim import Claim, enter
from minigrad.claims.drawing import COLOURS, lines
from minigrad.claims.nets import deep_net, through
from minigrad.experiments.experiment import Expected
from minigrad.nn import functional as F


@enter
class PreventsNaN(Claim):
    """[3, inf] and [3, NaN] through a clip by norm; and a chain of 400 factors of 10, whose gradient is 10^400.

    The coefficient is 1 / inf = 0, and inf * 0 is NaN.  The chain begins at 1e-200 and ends at 1e200, so that the
    forward pass is finite; its gradient is beyond float64.  Clipped afterwards it is NaN.  Clipped inside the backward
    pass, at every hundredth factor, it never overflows.  So a clip prevents the NaN of an overflow that it comes
    before, and mends nothing that is there already.
    """

    id = "clip-nan"
    text = "Clipping prevents NaN."
    question = "Is the gradient finite after a clip, where without the clip it is not?"
    expected_verdict = "depends"
    expected = (Expected("NaN after a norm clip of [3, inf]", 1, "inf * 0", 0),
                Expected("NaN after a norm clip of [3, NaN]", 2, "the norm is NaN", 0),
                Expected("finite after an overflow, clipped afterwards", 0, "inf * 0", 0),
                Expected("finite after an overflow, clipped inside", 2, "it never overflowed", 0))

    def measure(self, seed):
        clip, numbers = hooks.ClipNorm(1.0), {}
        with np.errstate(all="ignore"):
            for name, bad in (("inf", np.inf), ("NaN", np.nan)):
                out = through(clip, [3.0, bad])[0]["0"]
                numbers[f"NaN after a norm clip of [3, {name}]"] = int(np.isnan(out).sum())
            for name in ("afterwards", "inside"):
                w = mg.tensor([1e-200, 2e-200], requires_grad=True)
                h = w
                for factor in range(400):
                    h = h * 10.0
                    if name == "inside" and factor % 100 == 0:
                        h.register_hook(hooks.inside(clip))
                h.sum().backward()
                out = through(clip, w.grad.data)[0]["0"]
                numbers[f"finite after an overflow, clipped {name}"] = int(np.isfinite(out).sum())
        return numbers, {}

    def decide(self, n):
        finite = [*(n[f"NaN after a norm clip of [3, {name}]"] == 0 for name in ("inf", "NaN")),
                  *(n[f"finite after an overflow, clipped {name}"] == 2 for name in ("afterwards", "inside"))]
        return "holds" if all(finite) else "depends" if any(finite) else "false"

    def say(self, n):
        return (f"Clips inside the backward pass leave {n['finite after an overflow, clipped inside']} of 2 numbers of "
                f"a gradient of 10^400 finite, one afterwards {n['finite after an overflow, clipped afterwards']}; of "
                f"what is there already, [3, inf] clipped by norm holds {n['NaN after a norm clip of [3, inf]']} NaN "
                f"(inf times 0) and [3, NaN] {n['NaN after a norm clip of [3, NaN]']}.")


@enter
class HalfPrecision(Claim):
    """dL/dh in 100 layers of tanh, width 200, sigma_w^2 = 1, sigma_b^2 = 0.05, four nets, converted to float16.

    float16 has no number between 0 and 2^-24, so that below 2^-25 all is 0.  delta falls by sqrt(chi_1) a layer
    (Schoenholz et al. 2017), so half of a layer is 0 from d = 2 ln(0.6745 S s 2^25) / -ln chi_1 layers below the loss
    on, with s its standard deviation at the top and S the loss scale (Micikevicius et al. 2018); S = 65536 moves that
    by 80 layers.  Single nets scatter by some layers around it.  That a number takes half the memory is true; so is
    that a part of the gradient is not there.
    """

    id = "mixed-precision"
    text = "Mixed precision is a matter of speed and memory only."
    articles = ("004",)
    question = "Which share of a gradient is 0 in float16, layer by layer, without and with a loss scale?"
    title = "Share of dL/dh that is 0 in float16"
    expected_verdict = "false"
    depth, width, nets = 100, 200, 4
    expected = (Expected("half of a layer is 0 from this depth, scale 1", 78, "a separate computation", 6),
                Expected("the same, predicted", 78, "2 ln(0.6745 S s 2^25) / -ln chi_1", 3),
                Expected("largest share of zeros, scale 65536", 0.02, "moved by 80 layers", kind="at most"),
                Expected("bytes of float16 / float32", 0.5, "2 of 4", 0))

    def deltas(self, rng):
        """Return dL/dh of each layer of a net, the last layer first, as an array (depth, items, width)."""
        net = deep_net(nn.Tanh, self.depth, self.width, bias=0.05 ** 0.5, rng=rng)
        top = nn.Linear(self.width, 10, rng=rng)
        nn.init.normal_(top.weight, std=self.width ** -0.5, rng=rng)
        h, states = mg.tensor(rng.normal(size=(32, self.width))), []
        for layer in net:
            h = layer(h)
            if isinstance(layer, nn.Linear):
                states.append(h)                        # before tanh
        loss = F.cross_entropy(top(h), rng.integers(0, 10, 32))
        return np.array([g.data for g in mg.grad(loss, states)])[::-1]

    def measure(self, seed):
        deltas = np.concatenate([self.deltas(np.random.default_rng(seed + k)) for k in range(self.nets)], axis=1)
        with np.errstate(under="ignore"):
            zeros = {scale: np.array([np.mean((d * scale).astype(np.float16) == 0) for d in deltas])
                     for scale in (1, 65536)}
        chi, first = theory.chi_1("tanh", 1.0, 0.05), deltas[0].std()
        return {"half of a layer is 0 from this depth, scale 1": int(np.argmax(zeros[1] > 0.5)),
                "the same, predicted": float(2 * np.log(0.6745 * first * 2 ** 25) / -np.log(chi)),
                "share of zeros, all layers, scale 1": float(zeros[1].mean()),
                "largest share of zeros, scale 65536": float(zeros[65536].max()),
                "bytes of float16 / float32": np.dtype(np.float16).itemsize / np.dtype(np.float32).itemsize,
                "layers": self.depth}, {f"loss scale {scale}": array for scale, array in zeros.items()}

    def decide(self, n):
        lost = n["half of a layer is 0 from this depth, scale 1"] > 0
        mended = n["largest share of zeros, scale 65536"] < n["share of zeros, all layers, scale 1"]
        return "false" if lost and n["share of zeros, all layers, scale 1"] > 0.01 and mended else "holds"

    def say(self, n):
        return (f"In float16 half of the gradient is 0 from {n['half of a layer is 0 from this depth, scale 1']} "
                f"layers "
                f"below the loss on (predicted {n['the same, predicted']:.0f}), "
                f"{n['share of zeros, all layers, scale 1']:.0%}"
                f" of all of it; with a loss scale of 65536 at most {n['largest share of zeros, scale 65536']:.1%} of "
                f"any "
                f"layer.")

    def draw(self, ax, arrays, n):
        lines(ax, arrays, "layers below the loss", "share of zeros",
              styles=[{"color": colour} for colour in COLOURS[:2]])
        ax.axvline(n["the same, predicted"], ls="--", color="black", lw=1.2, label="half, predicted")
        ax.axhline(0.5, color="black", lw=0.8, ls=":")
        ax.legend(loc="upper left")
