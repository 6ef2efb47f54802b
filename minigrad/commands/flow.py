"""``minigrad flow``: where the gradient goes in a net that is described in a few words, before any training."""

import json
from pathlib import Path

from minigrad.commands.common import Refusal, not_negative, positive, refusals, whole_number

ARCHITECTURES = ("mlp", "residual", "rnn", "lstm", "gru")
ACTIVATIONS = ("tanh", "relu", "sigmoid", "leaky_relu", "elu", "selu", "gelu", "silu", "softplus", "linear")
RECURRENT = {"rnn": ("tanh", "relu"), "lstm": (), "gru": ()}
INITS = ("default", "normal", "xavier", "he", "orthogonal", "identity")


def add(commands):
    """Add the parser of this command."""
    parser = commands.add_parser(
        "flow", help="where does the gradient vanish or explode, how fast, what does theory say, what would help",
        description="Build a net, send one batch of Gaussian noise through it, and back the\n"
                    "gradient of a cross-entropy with labels drawn at random (10 classes, on the\n"
                    "last layer or time step). Print per layer or time step the norms of the\n"
                    "activation, of dL/dh and of the weight gradient, the fitted slope beside the\n"
                    "one predicted, and what would help. The same arguments give the same numbers.",
        epilog="examples:\n  minigrad flow --activation relu --depth 30 --gain 0.707 -o flow.svg\n"
               "  minigrad flow --arch mlp --depth 100 --gain 1.327 --bias-std 0.2236\n"
               "  minigrad flow --arch rnn --init orthogonal --gain 1.2 --depth 200\n"
               "  minigrad flow --arch lstm --depth 100 --json")
    parser.set_defaults(run=run)
    add = parser.add_argument
    add("--arch", choices=ARCHITECTURES, default="mlp", help="the net; residual: x + V phi(W x) (%(default)s)")
    add("--depth", type=whole_number, default=30, help="layers, blocks, or time steps (%(default)s)")
    add("--width", type=whole_number, default=128, help="units of each (%(default)s)")
    add("--activation", choices=ACTIVATIONS, metavar="NAME",
        help="tanh by default; of an rnn tanh or relu; else also " + ", ".join(ACTIVATIONS[2:]))
    add("--init", choices=INITS, help="of the weights, of recurrent nets the recurrent ones: default is PyTorch's, "
                                      "normal has variance gain^2 / fan_in (default; normal where --gain is given)")
    add("--gain", type=not_negative, help="factor on that (1)")
    add("--bias-std", type=not_negative, help="standard deviation of the biases (0; with --init default PyTorch's)")
    add("--batch", type=whole_number, default=32, help="examples (%(default)s)")
    add("--inputs", type=whole_number, help="features of the input (as --width; 8 of a recurrent net)")
    add("--input-std", type=not_negative, default=1.0, help="their standard deviation (%(default)s)")
    add("--lr", type=positive, help="learning rate of gradient descent, for the ratio of update to weights")
    add("--seed", type=int, default=0, help="of weights, input and labels (%(default)s)")
    add("--rows", type=whole_number, default=40, help="show at most so many rows (%(default)s)")
    add("-o", "--out", metavar="FILE", help="write a picture there: .png, .svg or .pdf")
    add("--json", action="store_true", help="print all that was measured as JSON instead")
    add("--threads", type=whole_number, default=1, help="BLAS threads; more is slower at this size (%(default)s)")


def run(args):
    """Measure, print and draw; return the exit status."""
    check(args)
    import minigrad as mg
    from minigrad.nn import functional as F

    try:
        net, batch = build(args)
        found = mg.flow(net, F.cross_entropy, batch, lr=args.lr)
    except MemoryError:
        raise Refusal("this net does not fit into memory; give a smaller --width, --depth or --batch") from None
    if args.json:
        print(json.dumps(found.as_dict(), indent=1, allow_nan=False))
    else:
        print(f"{title(args)}\n\n{found.text(rows=args.rows)}")
    if args.out is not None:
        picture(found, Path(args.out), quiet=args.json)
    return 0


def check(args):
    """Refuse what does not go together, before anything is computed."""
    if args.out is not None and Path(args.out).suffix.lower() not in (".png", ".svg", ".pdf"):
        raise Refusal(f"--out {args.out}: a picture is written as .png, .svg or .pdf")
    known = RECURRENT.get(args.arch, ACTIVATIONS)
    article = "a" if args.arch in ("gru", "residual") else "an"
    if args.activation is not None and args.activation not in known:
        raise Refusal(f"--activation {args.activation}: {article} {args.arch} has {' or '.join(known) or 'its own'}")
    if args.seed < 0:
        raise Refusal(f"--seed {args.seed}: a seed is a whole number from 0")


def build(args):
    """Return the net that is described, and a batch."""
    import numpy as np

    from minigrad.gradient_flow import nets

    rng = np.random.default_rng(args.seed)
    start = args.init or ("default" if args.gain is None else "normal")
    bias_std = 0.0 if args.bias_std is None and start != "default" else args.bias_std
    inputs = args.inputs or (8 if args.arch in RECURRENT else args.width)
    net = nets.Described(args.arch, args.depth, args.width, inputs, args.activation or "tanh", start,
                         1.0 if args.gain is None else args.gain, bias_std, rng)
    return net, nets.noise(args.arch, args.depth, args.batch, inputs, args.input_std, rng)


def title(args):
    """Return one line on what is measured."""
    of = {"residual": "blocks"} | dict.fromkeys(RECURRENT, "time steps")
    gates = RECURRENT.get(args.arch) == ()
    return (f"{args.arch} of {args.depth} {of.get(args.arch, 'layers')}, width {args.width}, "
            f"{'' if gates else (args.activation or 'tanh') + ', '}seed {args.seed}")


def picture(found, out, quiet):
    """Write the picture, whole or not at all."""
    import matplotlib.pyplot as plt

    from minigrad import plot

    plt.switch_backend("agg")
    with refusals(out):
        figure = found.plot()[0].figure
        try:
            plot.save(figure, out)
        finally:
            plt.close(figure)
    if not quiet:
        print(f"Figure: {out}")
