"""GradientFlow: the report, as text, as a table of a notebook, as a dict, as a picture."""

import html
import math
from dataclasses import asdict

import numpy as np

SHORT = 40
"""Of more rows than this, only the first and the last are printed."""

COLUMNS = {
    "activation": "|h|", "delta": "|dL/dh|", "predicted": "predicted", "delta_ratio": "ratio", "cell": "|dL/dc|",
    "gradient": "|dL/dW|", "gradient_ratio": "ratio", "saturated": "saturated", "dead": "dead",
    "update_to_data": "update/data",
}
"""The columns of the table: field of a row -> heading.  The ratio is that to the row behind, nearer to the loss."""

SHARES = ("saturated", "dead")


class GradientFlow:
    """Where the gradient goes in one net, for one batch: what :func:`minigrad.flow` returns.

    ``print(flow)`` shows the table and the verdict, ``flow.plot()`` draws it.

    Attributes:
        series: list of :class:`~minigrad.gradient_flow.rows.Series`: the time steps of each recurrent layer, if there
            are any, then the layers.  Where the loss acts on many steps, those with the last loss alone come first.
            The first is the one that the attributes below speak of.
        rows: its :class:`~minigrad.gradient_flow.rows.Row` objects.
        kind: of its verdict: "healthy", "vanishing", "exploding", "underflow", "overflow", "nan", "cut", "undecided",
            "level", "too few" or "no gradient"; see :class:`~minigrad.gradient_flow.verdict.Verdict`.
        slope: fitted decades per layer (or step) of ||dL/dh|| on the way back, negative where it vanishes; None if
            there are fewer than two ordinary norms.
        interval: its 95 % confidence interval, (low, high); None as above.
        predicted: the slope that theory expects; None where it has nothing to say.
        verdict: in plain words.
        help: list of what would help.
        verdicts: a :class:`~minigrad.gradient_flow.verdict.Verdict` for each series.
        loss: value of the loss, a float.
        modules: list of dicts, one per call of a module: name, kind, norm of its output and of the gradient there, and
            whether all of the gradient passes it.
        notes: list of what else must be known to read it.
    """

    def __init__(self, series, verdicts, loss, modules, notes):
        self.series, self.verdicts, self.loss, self.modules, self.notes = series, verdicts, loss, modules, notes
        first, self.rows = series[0], series[0].rows
        self.kind, self.help = verdicts[0].kind, verdicts[0].help
        self.slope = first.slope and first.slope.slope
        self.interval = first.slope and (first.slope.low, first.slope.high)
        self.predicted = first.prediction and first.prediction.slope

    @property
    def verdict(self):
        """The verdicts on all series that have enough rows for one, a line each."""
        said = [(s, v) for k, (s, v) in enumerate(zip(self.series, self.verdicts)) if k == 0 or v.kind != "too few"]
        several = len(said) > 1
        return "\n".join(f"{s.name + ': ' if several else ''}{v.text}" for s, v in said)

    def plot(self, axes=None, **options):
        """Draw it; see :func:`minigrad.plot.flow`."""
        from minigrad.plot import flow

        return flow(self, axes, **options)

    def table(self, rows=SHORT):
        """Return the table of all series as text.

        Args:
            rows: show at most so many rows of each, the first and the last; None for all.
        """
        return "\n\n".join(text_of(s, rows) for s in self.series)

    def as_dict(self):
        """Return all of it as a dict that ``json.dumps`` takes; what is not finite stands as "NaN", "inf", "-inf"."""
        return plain({
            "kind": self.kind, "verdict": self.verdict, "help": self.help, "loss": self.loss, "slope": self.slope,
            "interval": self.interval, "predicted": self.predicted, "notes": self.notes,
            "series": [series_dict(s, v) for s, v in zip(self.series, self.verdicts)], "modules": self.modules,
        })

    def text(self, rows=SHORT):
        """Return the tables and the verdict as text; ``rows`` as for :meth:`table`."""
        return "\n".join([self.table(rows), "", *self._words()])

    def __str__(self):
        return self.text()

    __repr__ = __str__

    def _words(self):
        lines, several = self.verdict.split("\n"), sum(s.prediction is not None for s in self.series) > 1
        for s in self.series:
            if s.prediction is not None:
                lines.append(f"Theory{f' of {s.name}' if several else ''}: {s.prediction.text}.")
            elif s.why_none and s is self.series[0]:
                lines.append(f"Theory: no prediction, {s.why_none}.")
        lines += [f"Note: {note}." for s in self.series for note in s.notes]
        lines += [f"Note: {note}." for note in self.notes]
        lines += [f"{'  or' if k else 'What would help'}: {text}." for k, text in enumerate(self.help)]
        lines += [f"Would not help: {text}." for text in self.verdicts[0].futile]
        return lines

    def _repr_html_(self):
        tables = "".join(html_of(s) for s in self.series)
        words = "".join(f"<p>{html.escape(line.strip())}</p>" for line in self._words())
        return f"<div>{tables}{words}</div>"


def cells_of(series):
    """Return the headings of a series' table, and a list of texts for each row; columns without a value are left out.

    The first two headings are those of the row itself.
    """
    named = series.kind == "layer"
    fields = [name for name in COLUMNS if any(getattr(row, name) is not None for row in series.rows)]
    headings = [series.kind, *(["module"] if named else []), *(COLUMNS[name] for name in fields)]
    texts = [[str(row.index), *([f"{row.name} {row.kind}"] if named else []),
              *(cell(name, getattr(row, name)) for name in fields)] for row in series.rows]
    return headings, texts


def cell(name, value):
    """Return one entry of the table as text."""
    if value is None:
        return "-"
    if name in SHARES:
        if 0 < value < 0.001:
            return "< 0.1%"
        return "0" if value == 0 else f"{value:.1%}" if value < 0.0995 else f"{value:.0%}"
    if math.isnan(value):
        return "NaN"
    return f"{value:.3g}"


def shown(count, most):
    """Return how many rows are shown at the start and at the end."""
    if most is None or count <= most:
        return count, 0
    return (most + 1) // 2, most // 2


def text_of(series, most):
    """Return a series as a table of text, numbers to the right."""
    headings, texts = cells_of(series)
    head, tail = shown(len(texts), most)
    chosen = [headings, *texts[:head], *(texts[len(texts) - tail:] if tail else [])]
    widths = [max(map(len, column)) for column in zip(*chosen)]
    left = 2 if series.kind == "layer" else 1
    lines = ["  ".join([text.ljust(width) if 0 < k < left else text.rjust(width)
                        for k, (text, width) in enumerate(zip(row, widths))]).rstrip() for row in chosen]
    if tail:
        lines.insert(1 + head, f"  ... {len(texts) - head - tail} more {series.kind}s; flow.table(rows=None) shows all")
    title = f"{series.name}: {len(texts)} {series.kind}{'s' * (len(texts) != 1)}"
    return "\n".join([title, *lines])


def html_of(series):
    """Return a series as a table of HTML."""
    headings, texts = cells_of(series)
    head, tail = shown(len(texts), SHORT)
    rows = [tr(row, "td") for row in texts[:head]]
    if tail:
        rows.append(f'<tr><td colspan="{len(headings)}">... {len(texts) - head - tail} more {series.kind}s</td></tr>')
        rows += [tr(row, "td") for row in texts[len(texts) - tail:]]
    return (f"<table><caption>{html.escape(series.name)}</caption><thead>{tr(headings, 'th')}</thead>"
            f"<tbody>{''.join(rows)}</tbody></table>")


def tr(cells, tag):
    """Return a row of an HTML table."""
    return "<tr>" + "".join(f"<{tag}>{html.escape(text)}</{tag}>" for text in cells) + "</tr>"


def series_dict(series, verdict):
    """Return a series and its verdict as a dict."""
    lines = {name: line and line._asdict() for name, line in (
        ("slope", series.slope), ("gradient_slope", series.gradient_slope),
        ("activation_slope", series.activation_slope))}
    bend = series.bend and {"row": series.rows[series.bend.place].index, "before": series.bend.before._asdict(),
                            "after": series.bend.after._asdict()}
    return {"name": series.name, "unit": series.kind, **verdict._asdict(), **lines, "bend": bend,
            "prediction": series.prediction and series.prediction._asdict(), "why_no_prediction": series.why_none,
            "notes": series.notes, "rows": [asdict(row) for row in series.rows]}


def plain(value):
    """Return nested dicts and lists with nothing in them that JSON does not know."""
    if isinstance(value, dict):
        return {key: plain(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else "NaN" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value
