"""The shape of a claim: what is said and where, the measurement that decides it, the verdict that code reaches from it.

A claim is a class on the page of its theme, entered by ``@enter``::

    @enter
    class Reverses(Claim):
        \"\"\"The setting and the formula; where a number differs from what was expected, why.\"\"\"

        id = "clip-reverses"
        text = "A gradient that is too large is cut to the threshold, or to the opposite direction."
        articles = ("000",)
        question = "Does a clip ever turn a gradient round?"
        expected_verdict = "false"
        expected = (Expected("cosine after a norm clip", 1.0, "one factor for all", 1e-12),)

        def measure(self, seed):                # runs it
            return {"cosine after a norm clip": ...}, {}

        def decide(self, n):                    # numbers -> one of VERDICTS
            return "false" if n["cosine after a norm clip"] > 0 else "holds"

        def say(self, n):                       # numbers -> a sentence with them
            return f"..."

        def draw(self, ax, arrays, n):          # optional: one panel
            ...
"""

import math
from dataclasses import dataclass, field

from minigrad.experiments.experiment import compared
from minigrad.experiments.settings import unknown

VERDICTS = {
    "holds": "the measurement bears it out",
    "false": "the measurement contradicts it",
    "depends": "it is so in one setting that was measured and not in another",
    "unproven": "the measurement shows no effect, or one whose sign changes",
    "meaningless": "there is nothing to measure: what it speaks of does not exist there",
}
"""The five verdicts, and what they mean."""

ARTICLES = {
    "000": "clipping against clipping: two Chinese words, said to be two methods",
    "001": "the algorithm of clipping, with a program for PyTorch and one for TensorFlow",
    "002": "clipping and gradient regularisation",
    "003": "clipping in practice, with fifty questions and answers",
    "004": "clipping and accumulation",
}
"""The five Chinese articles that most of the claims are from, by number."""

CLAIMS = {}
"""All claims, id -> claim; filled by :func:`enter`, page by page."""


@dataclass
class Verdict:
    """What a measurement says of a claim.

    Attributes:
        verdict: one of VERDICTS.
        numbers: what was measured, name -> number.
        sentence: what was found, with the numbers.
        arrays: what the figure is drawn from, name -> array.
    """

    verdict: str
    numbers: dict
    sentence: str
    arrays: dict = field(default_factory=dict)


class Claim:
    """Something that is said about gradients, and the measurement that decides it.

    Attributes:
        id: its name on the command line.
        text: what is said, in our words.
        articles: which of ARTICLES say it; empty for what is said elsewhere.
        question: what is measured, as a question.
        expected_verdict: what the measurement is expected to lead to.
        expected: numbers it is expected to give, with tolerances.
        title: of the figure; what was measured.
    """

    id = text = question = expected_verdict = title = ""
    articles = ()
    expected = ()

    def measure(self, seed):
        """Run the deciding measurement; return numbers, by name, and arrays for the figure, by name."""
        raise NotImplementedError(f"{type(self).__name__} has no measure(self, seed)")

    def decide(self, n):
        """Return the verdict that follows from numbers."""
        raise NotImplementedError(f"{type(self).__name__} has no decide(self, n)")

    def say(self, n):
        """Return a sentence with the numbers."""
        raise NotImplementedError(f"{type(self).__name__} has no say(self, n)")

    draw = None
    """``draw(self, ax, arrays, n)`` where a figure says more than a number."""

    def judge(self, seed=0):
        """Measure, and judge by what was measured.

        Example:
            >>> from minigrad import claims
            >>> claims.find("two-words").judge().verdict
            'false'
        """
        return self.verdict_on(*self.measure(seed))

    def verdict_on(self, numbers, arrays=None):
        """Judge by numbers measured before, or made up.

        Raises:
            ValueError: where a number is missing, or NaN: nothing follows from that.
        """
        numbers = {name: float(value) if isinstance(value, float) else value for name, value in numbers.items()}
        bad = [name for name, value in numbers.items() if isinstance(value, float) and math.isnan(value)]
        if bad:
            raise ValueError(f"{self.id}: {', '.join(bad)} is NaN; no verdict follows from that")
        try:
            return Verdict(self.decide(numbers), numbers, self.say(numbers), arrays or {})
        except KeyError as missing:
            raise ValueError(f"{self.id}: {missing} was not measured; there are: {', '.join(numbers)}") from None

    def figure(self, verdict):
        """Draw the figure of a verdict; None where the numbers say it all."""
        if self.draw is None:
            return None
        from matplotlib.figure import Figure

        from minigrad import plot

        with plot.styled():
            fig = Figure(figsize=(7.2, 4.4), layout="constrained")
            ax = fig.subplots()
            self.draw(ax, verdict.arrays, verdict.numbers)
            ax.set_title(self.title)
            fig.suptitle(f"'{self.text}'\n{verdict.verdict.upper()}", fontsize=12, wrap=True)
        return fig

    def compared(self, verdict):
        """Return a row for each expected number: name, expected, measured, tolerance, source, whether it holds."""
        return compared(self.expected, verdict.numbers)

    @property
    def said(self):
        """Who says it, in a few words."""
        return "elsewhere" if not self.articles else " ".join(self.articles)

    @property
    def page(self):
        """The theme: the name of the file it is in."""
        return type(self).__module__.rpartition(".")[2]

    def __repr__(self):
        return f"<claim {self.id}: {self.text}>"


def enter(cls):
    """Enter a class of claim into the table; a class decorator.

    Raises:
        ValueError: for an id that is there already, or an article or a verdict that is none.
    """
    if cls.id in CLAIMS:
        raise ValueError(f"there are two claims {cls.id!r}")
    if cls.expected_verdict not in VERDICTS:
        raise ValueError(f"{cls.id}: expected_verdict = {cls.expected_verdict!r}: one of {', '.join(VERDICTS)}")
    if not set(cls.articles) <= set(ARTICLES):
        raise ValueError(f"{cls.id}: articles = {cls.articles!r}: of {', '.join(ARTICLES)}")
    CLAIMS[cls.id] = cls()
    return cls


def find(name):
    """Return a claim by its id.

    Raises:
        KeyError: for an unknown id; it says which are near, and which there are.
    """
    if name not in CLAIMS:
        raise KeyError(unknown("claim", name, CLAIMS))
    return CLAIMS[name]
