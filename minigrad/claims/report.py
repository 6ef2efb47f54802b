"""Verdicts in words: as a table for the terminal, one claim in full, Markdown, and records for JSON."""

import textwrap

from minigrad.claims.claim import ARTICLES, VERDICTS

WIDTH = 100
FIRST = (24, 13)
"""Widths of the table, and of its first two columns."""


def heading():
    """Return the two lines above a table."""
    names = "claim".ljust(FIRST[0]) + "verdict".ljust(FIRST[1]) + "what is said, and measured"
    return f"{names}\n{'-' * WIDTH}"


def row(claim, verdict, figure=None):
    """Return a claim as a row of the table, wrapped: what is said and by whom, what was measured, where its figure
    is."""
    said = f"'{claim.text}' ({'articles' if len(claim.articles) > 1 else 'article'} {', '.join(claim.articles)})" \
        if claim.articles else f"'{claim.text}' (elsewhere)"
    mark = "" if verdict.verdict == claim.expected_verdict else f" EXPECTED: {claim.expected_verdict}."
    texts = [said, verdict.sentence + mark, *([f"figure: {figure}"] if figure else [])]
    lines = [line for text in texts for line in textwrap.wrap(text, WIDTH - sum(FIRST), break_on_hyphens=False)]
    left = [claim.id.ljust(FIRST[0]) + verdict.verdict.ljust(FIRST[1])] + [" " * sum(FIRST)] * (len(lines) - 1)
    return "\n".join((a + b).rstrip() for a, b in zip(left, lines)) + "\n"


def in_full(claim, verdict, figure=None):
    """Return all that there is to say of one claim, with its numbers beside those that were expected."""
    wrapped = lambda text, start: textwrap.fill(text, WIDTH, initial_indent=start,
                                                subsequent_indent=" " * 10, break_on_hyphens=False)
    lines = [wrapped(claim.text, "claim     "),
             *(f"article   {number}: {ARTICLES[number]}" for number in claim.articles or ()),
             wrapped(claim.question, "question  "),
             wrapped(f"{verdict.verdict.upper()}: {VERDICTS[verdict.verdict]}"
                     + ("" if verdict.verdict == claim.expected_verdict else f" (expected: {claim.expected_verdict})"),
                     "verdict   "),
             wrapped(verdict.sentence, "found     ")]
    if figure:
        lines.append(f"figure    {figure}")
    lines.append("")
    expected = {name: (value, margin, holds) for name, value, _, margin, _, holds in claim.compared(verdict)}
    for name, measured in verdict.numbers.items():
        line = f"  {name:<62} {number(measured):>12}"
        if name in expected:
            value, margin, holds = expected[name]
            line += f"  {'ok ' if holds else 'OFF'} {number(value)} ({margin})"
        lines.append(line)
    return "\n".join(lines) + "\n"


def number(value):
    """Return a number with five digits, a whole one whole."""
    return str(value) if isinstance(value, int) else f"{value:.5g}"


def markdown(judged, figures=None):
    """Return all verdicts as a Markdown table, with links to the figures.

    Args:
        judged: pairs (claim, verdict).
        figures: id -> name of its file.
    """
    figures = figures or {}
    lines = ["| claim | said in | verdict | what was measured |", "|---|---|---|---|"]
    for claim, verdict in judged:
        found = verdict.sentence + (f" [figure]({figures[claim.id]})" if claim.id in figures else "")
        cells = (f"{claim.text} (`{claim.id}`)", claim.said.replace(" ", ", "), f"**{verdict.verdict}**", found)
        lines.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def record(claim, verdict, figure=None):
    """Return a claim and its verdict as a dict for JSON."""
    return {"id": claim.id, "claim": claim.text, "articles": list(claim.articles), "question": claim.question,
            "verdict": verdict.verdict, "expected verdict": claim.expected_verdict, "sentence": verdict.sentence,
            "numbers": verdict.numbers,
            "expected": [{"name": name, "value": value, "measured": measured, "tolerance": margin, "source": source,
                          "ok": holds} for name, value, measured, margin, source, holds in claim.compared(verdict)],
            "figure": None if figure is None else str(figure)}
