"""The figure of the README: for each work, the time of minigrad divided by that of the others."""

from benchmarks.work import AUTOGRAD, HAND, JAX, MYGRAD, TORCH, in_column

SHORT = {
    "mlp-100-float64": "MLP, 100 layers of 64",
    "mlp-50-float32": "MLP, 50 layers of 256, float32",
    "rnn-steps-float64": "RNN step by step, T = 200",
    "rnn-long-float64": "RNN step by step, T = 1000",
    "rnn-float64": "nn.RNN, T = 200",
    "lstm-float64": "nn.LSTM, T = 200",
    "gru-float64": "nn.GRU, T = 200",
    "scalar-float64": "10,000 scalar operations",
    "double-float64": "double backward, RNN",
    "conv-float32": "convolutional net, float32",
    "update-64-float32": "clip + Adam + trace, 64x64, float32",
    "cross-entropy-wide-float32": "cross-entropy, 512x256, float32",
    "layer-norm-long-float32": "LayerNorm, 2048x128, float32",
    "embedding-float32": "Embedding, 65x64, float32",
}
"""The works that are drawn, one of each kind, and what they are called there."""


def draw(results):
    """Return the figure."""
    import matplotlib.pyplot as plt

    from minigrad.plot import style

    looks = {HAND: (style.BLUE, "D"), TORCH: (style.VERMILLION, "o"), JAX: (style.GREEN, "s"),
             AUTOGRAD: (style.PURPLE, "^"), MYGRAD: (style.ORANGE, "v")}
    records = {record["name"]: record for record in results["works"]}
    rows = [(SHORT[name], by_column(records[name]["against"])) for name in SHORT if name in records]
    with style.styled(), plt.rc_context({"font.size": 17, "axes.labelsize": 17, "axes.titlesize": 19,
                                         "legend.fontsize": 17, "ytick.labelsize": 17}):
        fig, ax = plt.subplots(figsize=(13, 1.9 + 0.54 * len(rows)), layout="constrained")
        ax.axvline(1, color=style.BLACK, linewidth=2)
        for name, (colour, marker) in looks.items():
            points = [(others[name]["ratio"], y) for y, (_, others) in enumerate(rows) if name in others]
            if points:
                ax.plot(*zip(*points), marker, color=colour, markersize=13, markeredgecolor="white", label=name)
        ax.set_yticks(range(len(rows)), [label for label, _ in rows])
        ax.set_ylim(len(rows) - 0.4, -0.6)
        ax.set_xscale("log")
        low, high = (f(other["ratio"] for _, others in rows for other in (others[n] for n in looks if n in others))
                     for f in (min, max))
        ax.set_xlim(low / 1.25, max(high, 1) * 1.25)
        ticks = [t for t in (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20) if low / 1.25 <= t <= max(high, 1) * 1.25]
        ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
        ax.minorticks_off()
        ax.tick_params(axis="y", length=0)
        ax.set_xlabel("time of minigrad / time of the other, on one core")
        for text, x, side in (("minigrad is faster  ", 1, "right"), ("  the other is", 1, "left")):
            ax.annotate(text, (x, -0.55), ha=side, va="bottom", annotation_clip=False, color=style.GREY)
        fig.legend(loc="outside upper center", ncols=len(looks), columnspacing=1.2, handletextpad=0.2)
    return fig


def by_column(against):
    """Return column -> the first comparison that stands there; what has not even the column's name is not drawn."""
    found = {}
    for name, other in against.items():
        if name.startswith(in_column(name)):
            found.setdefault(in_column(name), other)
    return found


def save(results, path):
    """Draw and save; the same results give the same bytes."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    from minigrad import plot

    fig = draw(results)
    try:
        plot.save(fig, path)
    finally:
        plt.close(fig)
