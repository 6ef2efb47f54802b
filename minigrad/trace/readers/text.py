"""Text logs: lines in which a pattern finds the norm, the step, the loss and the learning rate."""

import re
from itertools import islice

import numpy as np

from minigrad.trace.readers import patterns
from minigrad.trace.readers.names import Plan, Unnamed
from minigrad.trace.readers.series import Run
from minigrad.trace.readers.source import Source, listed

ROLES = ("norm", "step", "loss", "lr")
SAMPLE = 200
"""So many lines with a norm are looked at to choose the patterns for the whole log."""


class LogReader:
    """Reads lines of a log, some at a time, by the patterns that its first lines fit best.

    Args:
        path, wanted: as for ``read``; names in ``wanted`` are looked for as they stand in the lines.
        lines: the first lines, to choose the patterns by.
    """

    layout, begin = "text", 0

    def __init__(self, path, wanted, lines):
        self.norm, found = self.choose_norm(lines, wanted)
        self.others = {}
        for role, choices in (("step", patterns.STEP), ("loss", patterns.LOSS), ("lr", patterns.LR)):
            said = getattr(wanted, role)
            pattern = best(choices if said is None else [patterns.named(said)], found)
            if said is not None and pattern is None:
                raise ValueError(f"no line with a norm has a number after {role}={said!r}")
            if pattern is not None:
                self.others[role] = pattern
        plan = Plan(0, *(ROLES.index(role) if role in self.others else None for role in ("step", "loss", "lr")), {})
        source = Source(path, self.layout)
        source.columns = keys(found)
        source.taken = {role: first_words(pattern, found)
                        for role, pattern in {"norm": self.norm, **self.others}.items()}
        self.runs = [Run(plan, source)]

    @staticmethod
    def prepare(lines):
        """Return lines as one text, in small letters and without the codes for colours."""
        text = "\n".join(lines).lower()
        return patterns.COLOURS.sub("", text) if "\x1b" in text else text

    @classmethod
    def choose_norm(cls, lines, wanted):
        """Return the pattern for the norm, and the first lines in which it finds one."""
        choices = patterns.NORM if wanted.column is None else [patterns.named(wanted.column)]
        for pattern in choices:
            found = list(islice((line for line in cls.one_by_one(lines) if pattern.search(line)), SAMPLE))
            if found:
                return pattern, found
        what = "a gradient norm" if wanted.column is None else f"a number after {wanted.column!r}"
        raise Unnamed(f"no line has {what} (logarithms are not guessed); the names seen are "
                      f"{listed(keys(lines[:1000]), 30)}. Choose one by column=, or give pattern=, a regular "
                      "expression such as 'it (?P<step>\\d+) gn (?P<norm>\\S+)'")

    @classmethod
    def one_by_one(cls, lines):
        """Yield prepared lines, as many as are asked for."""
        for start in range(0, len(lines), SAMPLE):
            yield from cls.prepare(lines[start:start + SAMPLE]).split("\n")

    def feed(self, lines, number):
        """Take in some lines, the first of which has this number, and return the new columns of the run."""
        source, text = self.runs[0].source, self.prepare(lines)
        ready = text.split("\n") if lines else []
        norms = [match and match["value"] for match in map(self.norm.search, ready)]
        where = [k for k, norm in enumerate(norms) if norm is not None]
        if len(where) < len(ready):
            for k in [k for k, norm in enumerate(norms) if norm is None and "norm" in ready[k]]:
                if patterns.WITHOUT.search(ready[k]):
                    source.reject(number + k, "a norm is named, and no number follows")
                    source.skipped -= 1
        if any(word in text for word in patterns.SUMMING) and patterns.SUMMARY.search(text):
            hits = len(where)
            where = [k for k in where if not patterns.SUMMARY.search(ready[k])]
            if len(where) < hits:
                source.note("summary", "lines that sum up an epoch are left out, and counted as skipped")
        source.skipped += len(ready) - len(where)
        said = ready if len(where) == len(ready) else [ready[k] for k in where]
        cells = {0: norms if said is ready else [norms[k] for k in where]}
        for role, pattern in self.others.items():
            cells[ROLES.index(role)] = values(pattern, said)
        return [self.runs[0].take(cells.__getitem__, np.array(where, int) + number)]


class PatternReader:
    """Reads lines of a log, some at a time, by the user's own regular expression.

    Its named groups are ``norm``, and ``step``, ``loss`` and ``lr`` if it has them; a single group without a name is
    the norm.
    """

    layout, begin = "text", 0

    def __init__(self, path, pattern):
        try:
            self.pattern = re.compile(pattern)
        except re.error as error:
            raise ValueError(f"pattern {pattern!r} is no regular expression: {error}") from None
        groups = dict(self.pattern.groupindex)
        if "norm" not in groups and self.pattern.groups == 1 and not groups:
            groups = {"norm": 1}
        if "norm" not in groups:
            raise ValueError(f"pattern {pattern!r} has no group named norm: write (?P<norm>\\S+) where the norm stands")
        odd = set(groups) - set(ROLES)
        if odd:
            raise ValueError(f"pattern {pattern!r} has a group {min(odd)!r}; groups are named {', '.join(ROLES)}")
        self.groups = [groups.get(role) for role in ROLES]
        plan = Plan(*(None if group is None else i for i, group in enumerate(self.groups)), {})
        source = Source(path, self.layout)
        source.columns = source_columns = tuple(role for role in ROLES if role in groups)
        source.taken = {role: f"group {role}" for role in source_columns}
        self.runs = [Run(plan, source)]

    def feed(self, lines, number):
        """Take in some lines, the first of which has this number, and return the new columns of the run."""
        hits = [(k, match) for k, match in enumerate(map(self.pattern.search, lines)) if match]
        self.runs[0].source.skipped += len(lines) - len(hits)

        def cells(place):
            return [match[self.groups[place]] for _, match in hits]

        return [self.runs[0].take(cells, np.array([number + k for k, _ in hits], int))]


class Log:
    """A text log.  Known by their ways: fairseq, Megatron-LM, torchtitan, OpenMMLab, timm, llm.c, Hugging Face's dicts.

    The norm is found after ``grad_norm``, ``grad norm``, ``gnorm`` and the like, the step after ``step``, ``iteration``
    and ``num_updates``; a step that is counted in each epoch anew, as in ``Epoch [3][120/500]``, is counted on.
    """

    name = "text"
    title = "a text log, by a regular expression"
    norms = ("before clipping in fairseq (a mean over the log interval, which leaves out norms that are not finite), "
             "Megatron-LM, torchtitan and OpenMMLab, which log what their clip_grad_norm returns")

    def recognises(self, text):
        """Return whether some line has a norm."""
        return any(pattern.search(line) for pattern in patterns.NORM for line in LogReader.one_by_one(text.lines))

    def start(self, text, wanted, forced=False):
        """Return a reader for the file."""
        if wanted.pattern is not None:
            return PatternReader(text.path, wanted.pattern)
        return LogReader(text.path, wanted, text.lines)


def values(pattern, lines):
    """Return what a pattern finds in each line: a text, or a step counted over all epochs; None for nothing."""
    found = map(pattern.search, lines)
    if "epoch" in pattern.groupindex:
        return [match and int(match["epoch"]) * int(match["of"]) + int(match["value"]) for match in found]
    return [match and match["value"] for match in found]


def best(choices, lines):
    """Return the first pattern that finds something in half of the lines, or None."""
    def share(pattern):
        return sum(bool(pattern.search(line)) for line in lines) / len(lines)

    return next((pattern for pattern in choices if share(pattern) >= 0.5), None)


def keys(lines):
    """Return the names of the numbers in some lines."""
    return tuple(dict.fromkeys(name.strip() for line in lines for name in patterns.KEYS.findall(line)))


def first_words(pattern, lines):
    """Return what stands before the number in the first line where a pattern finds one."""
    match = next(filter(None, map(pattern.search, lines)))
    if "of" in match.groupdict():
        return "epoch * its length + iteration"
    words = match[0][:match.start("value") - match.start()]
    return re.sub(r"[^\w ./-]+", " ", words).strip() or match[0].strip()
