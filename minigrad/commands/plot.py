"""``minigrad plot``: gradient norms as a picture, in a window or a file."""

import warnings
from pathlib import Path

import numpy as np

from minigrad.commands.common import Refusal, add_reading, positive, read_all, refusals

KINDS = (".png", ".svg", ".pdf")

MARK = b"Software\0minigrad"
"""Stands in a PNG that minigrad has written."""


def add(commands):
    """Add the parser of this command."""
    parser = commands.add_parser(
        "plot", help="draw the gradient norms of a training, or lay several over each other",
        description="Draw the gradient norm per step, before and after clipping where both are known,\n"
                    "with lanes for 0, inf and NaN. Reads traces of minigrad, CSV of TensorBoard,\n"
                    "Weights & Biases or Lightning, trainer_state.json, JSON Lines, any CSV, any text\n"
                    "log.\n\n"
                    "Where there is a display, a window opens. Where there is none, the picture is\n"
                    "written beside the (first) file, as NAME-norms.png or NAME-layers.png; one that is\n"
                    "there and not of minigrad's making is left alone. A file named by -o is written\n"
                    "over, and that is said.",
        epilog="examples:\n  minigrad plot trace.csv -o norms.svg\n"
               "  minigrad plot plain.csv clipped.csv --label 'no clipping' 'at 1' -o both.png\n"
               "  minigrad plot history.csv --column grad/global_norm --threshold 1\n"
               "  minigrad plot trace.csv --by-layer")
    parser.set_defaults(run=run)
    add = parser.add_argument
    add("files", nargs="+", metavar="FILE", help="a trace; several, or a file with several runs, are overlaid")
    add("-o", "--out", metavar="FILE", help="write the picture there: .png, .svg or .pdf")
    add("--by-layer", action="store_true", help="a map, layer by step, of a trace with norms per parameter")
    scale = parser.add_mutually_exclusive_group()
    scale.add_argument("--log-y", action="store_true", help="a logarithmic axis of norms (which is the default)")
    scale.add_argument("--linear-y", action="store_true", help="a linear axis of norms")
    add("--threshold", type=positive, metavar="C", help="draw this threshold, and which steps exceed it")
    add("--label", nargs="+", action="extend", metavar="TEXT",
        help="a name for each run, in their order; after the files")
    add_reading(parser)


def run(args):
    """Draw, and show or write; return the exit status."""
    check(args)
    traces = named([(path, name, trace) for path in args.files for name, trace in read_all(path, args).items()],
                   args.label)
    out = None if args.out is None else Path(args.out)
    import matplotlib.pyplot as plt

    if out is None and window(plt):
        with refusals(args.files[0]):
            draw(traces, args)
        plt.show()
        return 0
    plt.switch_backend("agg")
    out = out or beside(args)
    was_there = out.exists()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")       # a name in Chinese is drawn as boxes
        with refusals(args.files[0]):
            figure = draw(traces, args)
        from minigrad import plot

        with refusals(out):
            plot.save(figure, out)
        plt.close(figure)
    print(f"Figure: {out}" + (" (the one that was there is replaced)" if was_there else ""))
    return 0


def check(args):
    """Refuse what can be seen to be wrong before any file is read."""
    if args.out is not None:
        out = Path(args.out)
        if out.suffix.lower() not in KINDS:
            raise Refusal(f"-o {out}: a picture is written as {', '.join(KINDS)}")
        if any(same_file(out, path) for path in args.files):
            raise Refusal(f"-o {out} is a file that is to be read; name another")
    if args.by_layer and args.linear_y:
        raise Refusal("--linear-y: a map by layer has colours for the logarithm of the norm; leave it out")
    if args.by_layer and args.threshold is not None:
        raise Refusal("--threshold: a map by layer has no axis of norms to draw it on; leave it out")


def same_file(a, b):
    """Return whether two paths lead to one file that exists."""
    try:
        return Path(a).samefile(b)
    except OSError:
        return False


def named(found, labels):
    """Return label -> trace for the runs, triples (path, name of the run, trace).

    Raises:
        Refusal: if there are not as many labels as runs, or two are the same.
    """
    if labels is None:
        stems = [Path(path).stem for path, _, _ in found]
        several = [sum(path == other for other, _, _ in found) > 1 for path, _, _ in found]
        choices = ([name if many else stem for stem, many, (_, name, _) in zip(stems, several, found)],
                   [f"{path}: {name}" if many else path for many, (path, name, _) in zip(several, found)])
        labels = next((texts for texts in choices if len(set(texts)) == len(texts)), None)
        if labels is None:
            raise Refusal("a file is given twice; name each run by --label")
    if len(labels) != len(found):
        raise Refusal(f"--label: {len(labels)} for {len(found)} runs; give one to each")
    if len(set(labels)) != len(labels):
        raise Refusal("--label: two runs have the same label; give each its own")
    return dict(zip(labels, (trace for _, _, trace in found)))


# ---------------------------------------------------------------------------------------- where to

def window(plt):
    """Return whether Matplotlib has a backend that opens windows, and a display to open them on."""
    try:
        probe = plt.figure()
        shows = bool(probe.canvas.required_interactive_framework)
        plt.close(probe)
    except Exception:                           # each toolkit has errors of its own for a display that is not there
        return False
    return shows


def beside(args):
    """Return the path of a picture beside the first file.

    Raises:
        Refusal: if something is there that minigrad has not written.
    """
    first = Path(args.files[0])
    kind = "layers" if args.by_layer else "norms"
    out = first.with_name(f"{first.stem}-{kind}.png")
    if out.exists():
        with refusals(out), open(out, "rb") as file:
            ours = MARK in file.read(4096)
        if not ours:
            raise Refusal(f"{out} is there, and not of minigrad's making; name the picture by -o")
    return out


# ------------------------------------------------------------------------------------------ drawing

def draw(traces, args):
    """Return the figure of some traces (label -> trace)."""
    from minigrad import plot

    if args.by_layer:
        return maps(traces)
    lanes = LinearLanes([trace.column("norm_in", place="gradient") for trace in traces.values()],
                        [args.threshold or 0.0, *(trace.column("threshold") for trace in traces.values())]
                        ) if args.linear_y else None
    if len(traces) == 1:
        (label, trace), = traces.items()
        title = None if args.label is None else f"Gradient norm per step, {label}"
        ax = plot.norms(trace, threshold=args.threshold, lanes=lanes, title=title)
    else:
        ax = plot.runs({visible(label): trace for label, trace in traces.items()}, threshold=args.threshold,
                       lanes=lanes)
    if lanes is not None:
        for axes in (ax, *ax.child_axes):
            lanes.dress(axes)                   # again, for the limits were set as for a logarithmic axis
    for text in (ax.title, *ax.get_legend().get_texts()):
        text.set_parse_math(False)              # a name may hold dollars
    return ax.figure


def visible(label):
    """Return a label that a legend does not leave out: Matplotlib hides those that begin with an underscore."""
    return f" {label}" if label.startswith("_") else label


def maps(traces):
    """Return a figure with a map, layer by step, of each trace."""
    import matplotlib.pyplot as plt

    from minigrad import plot

    for label, trace in traces.items():
        if not trace.parameters():
            raise Refusal(f"--by-layer: {label} has no norms per parameter; record with NormTrace(per_parameter=True)")
    if len(traces) == 1:
        return plot.layer_map(next(iter(traces.values()))).figure
    heights = [min(8.0, 2.2 + 0.22 * len(trace.layers())) for trace in traces.values()]
    with plot.styled():
        figure, axes = plt.subplots(len(traces), figsize=(8, sum(heights)), height_ratios=heights, layout="constrained")
    for ax, (label, trace) in zip(axes, traces.items()):
        plot.layer_map(trace, ax, title=f"Gradient norm per layer and step, {label}")
        ax.title.set_parse_math(False)
    return figure


class LinearLanes:
    """What :class:`minigrad.plot.Lanes` is, for a linear axis: 0 has a place of its own, inf and NaN have lanes.

    Args:
        arrays: the norms to be shown.
        limits: thresholds, which the axis reaches to where they are finite.
    """

    def __init__(self, arrays, limits=()):
        values = np.concatenate([np.ravel(np.asarray(a, dtype=float)) for a in arrays])
        shown = np.concatenate([values, *map(np.ravel, limits)])
        self.high = 1.05 * min(float(shown[np.isfinite(shown)].max(initial=0.0)), 1e300) or 1.0
        self.step = 0.09 * self.high
        self.names = [name for name, there in (("inf", np.isposinf(values).any()), ("NaN", np.isnan(values).any()))
                      if there]
        self.centres = {name: self.high + (k + 0.6) * self.step for k, name in enumerate(self.names)}

    def place(self, values):
        """Return positions on the axis."""
        values = np.array(values, dtype=float)
        for name, where in (("inf", np.isposinf(values)), ("NaN", np.isnan(values))):
            if where.any():
                values[where] = self.centres.get(name, self.high)
        return np.minimum(values, max(self.high, *self.centres.values(), 0.0) if self.centres else self.high)

    def ordinary(self, values):
        """Return the values with NaN for those that belong in a lane."""
        values = np.array(values, dtype=float)
        values[~np.isfinite(values)] = np.nan
        return np.minimum(values, self.high)

    def special(self, values):
        """Return which values belong in a lane."""
        return np.isnan(self.ordinary(values))

    def dress(self, ax):
        """Make an axis linear from 0, with room for the legend above; the lanes shaded and named."""
        import matplotlib as mpl

        ax.set_yscale("linear")
        top = self.high + (0.2 + len(self.names)) * self.step
        # Who draws norms takes the logarithm of these limits, so that they begin just above 0.
        ax.set_ylim(1e-12 * top, 1.25 * top)
        ax.yaxis.set_major_locator(mpl.ticker.FixedLocator(
            [tick for tick in mpl.ticker.MaxNLocator(6).tick_values(0, self.high) if tick <= self.high]))
        for name, centre in self.centres.items():
            if not any(text.get_text() == name for text in ax.texts):
                ax.axhspan(centre - self.step / 2, centre + self.step / 2, color="#f1ece4", zorder=0, lw=0)
                ax.annotate(name, (1.0, centre), xycoords=ax.get_yaxis_transform(), xytext=(4, 0), color="#777777",
                            textcoords="offset points", va="center", ha="left", fontsize=10, annotation_clip=False)
