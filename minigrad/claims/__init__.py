"""Claims that circulate about gradients, each with the measurement that decides it.

    from minigrad import claims
    claims.find("clip-vanishing").judge()

Most are from five Chinese articles (:data:`ARTICLES`), some from elsewhere.  No verdict is written in: it follows from
numbers measured then and there.  :mod:`minigrad.claims.claim` says what a claim is made of; a page per theme follows.
"""

from minigrad.claims.claim import ARTICLES, CLAIMS, VERDICTS, Claim, Verdict, enter, find

# isort: off
# The order of the table: each page enters its claims when it is imported.
from minigrad.claims import vanishing, clipping, thresholds, optimizers, noise, training, models                # noqa: F401
from minigrad.claims import accumulation, regularisation, precision, programs_000_to_002, programs_003_and_004  # noqa: F401
# isort: on

__all__ = ["ARTICLES", "CLAIMS", "VERDICTS", "Claim", "Verdict", "enter", "find"]
