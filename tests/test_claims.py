"""Every claim is judged by a measurement: verdicts, numbers, figures; and the same again to the byte."""

import dataclasses
import functools
import math
import re
from pathlib import Path

import numpy as np
import pytest

from minigrad import claims, plot
from minigrad.claims import claim as page_of_claims
from minigrad.experiments.experiment import Expected

SLOW = {"small-threshold", "threshold-by-trying", "clip-helps-rnn", "clip-explosion", "clip-slower", "accuracy",
        "over-fitting", "large-and-precise", "regularise-small", "combine-remedies", "accumulation-steps", "clip-noise",
        "vanishing-stalls", "adaptive-untuned"}
"""A second or more each; the rest is judged in every run of the tests."""

IDS = [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in claims.CLAIMS]
QUICK = [name for name in claims.CLAIMS if name not in SLOW]


@functools.cache
def judged(name):
    """A claim and its verdict, measured once."""
    claim = claims.find(name)
    return claim, claim.judge()


# ---------------------------------------------------------------------------------------- what they say of themselves

@pytest.mark.parametrize("name", claims.CLAIMS)
def test_a_claim_says_what_it_is(name):
    claim = claims.find(name)
    assert claim.text.endswith((".", "?"))
    assert claim.question.endswith("?")
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", claim.id)
    assert claim.expected_verdict in claims.VERDICTS
    assert set(claim.articles) <= set(claims.ARTICLES)
    assert type(claim).__doc__
    assert all(isinstance(e, Expected) and e.source for e in claim.expected)
    assert len({e.name for e in claim.expected}) == len(claim.expected)
    assert (claim.draw is None) == (claim.title == "")
    assert claim.page in {path.stem for path in Path(page_of_claims.__file__).parent.glob("*.py")}


def test_every_article_is_there_and_so_is_each_of_its_programs():
    said = {number: [c.id for c in claims.CLAIMS.values() if number in c.articles] for number in claims.ARTICLES}
    assert all(len(ids) >= 5 for ids in said.values()), said
    assert sum(name.startswith("program-") for name in claims.CLAIMS) == 7
    assert any(not c.articles for c in claims.CLAIMS.values())


# ---------------------------------------------------------------------------------------- what is measured

@pytest.mark.parametrize("name", IDS)
def test_the_verdict_is_as_expected(name):
    claim, verdict = judged(name)
    assert verdict.verdict == claim.expected_verdict, verdict.sentence


@pytest.mark.parametrize("name", IDS)
def test_the_numbers_are_as_expected(name):
    claim, verdict = judged(name)
    assert [row for row in claim.compared(verdict) if not row[-1]] == []


@pytest.mark.parametrize("name", IDS)
def test_the_sentence_has_numbers_and_the_numbers_are_plain(name):
    _, verdict = judged(name)
    assert re.search(r"\d", verdict.sentence)
    assert verdict.sentence.endswith(".")
    assert all(type(value) in (int, float) for value in verdict.numbers.values()), verdict.numbers
    assert not any(math.isnan(value) for value in verdict.numbers.values())


@pytest.mark.parametrize("name", IDS)
def test_a_figure_is_drawn_of_the_verdict_alone(name, tmp_path):
    claim, verdict = judged(name)
    figure = claim.figure(dataclasses.replace(verdict))
    if claim.draw is None:
        assert figure is None
        return
    (ax,) = figure.axes[:1]
    assert ax.get_title() == claim.title
    assert ax.lines or ax.patches
    assert verdict.verdict.upper() in figure.get_suptitle()
    for k in range(2):
        plot.save(claim.figure(verdict), tmp_path / f"{k}.png")
    assert (tmp_path / "0.png").read_bytes() == (tmp_path / "1.png").read_bytes()
    assert (tmp_path / "0.png").stat().st_size < 300_000


@pytest.mark.parametrize("name", [name for name in QUICK if name != "accumulate-memory"])
def test_the_same_seed_gives_the_same_numbers(name):
    claim, verdict = judged(name)
    again = claim.judge()
    assert again.numbers == verdict.numbers
    for key, array in verdict.arrays.items():
        np.testing.assert_array_equal(again.arrays[key], array)


@pytest.mark.parametrize("name", QUICK)
def test_another_seed_gives_the_same_verdict(name):
    claim = claims.find(name)
    assert claim.judge(seed=3).verdict == claim.expected_verdict


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SLOW - {"small-threshold", "threshold-by-trying"}))
def test_another_seed_gives_the_same_verdict_slow(name):
    claim = claims.find(name)
    assert claim.judge(seed=20).verdict == claim.expected_verdict


# ---------------------------------------------------------------------------------------- the machinery

def test_a_number_that_is_nan_leads_to_no_verdict():
    with pytest.raises(ValueError, match=r"clip-information: .* is NaN"):
        claims.find("clip-information").verdict_on({"error of the gradient restored from a norm clip": math.nan})


def test_a_number_that_is_missing_is_named():
    with pytest.raises(ValueError, match=r"clip-information: 'error of the gradient .* norm clip' was not"):
        claims.find("clip-information").verdict_on({"something": 1.0})


def test_an_unknown_claim_is_refused_with_its_neighbours():
    with pytest.raises(KeyError, match=r"no claim 'clip-vanish'; did you mean clip-vanishing.*There are: "):
        claims.find("clip-vanish")


@pytest.mark.parametrize(("change", "message"), [
    ({"id": "clip-vanishing"}, "two claims"), ({"expected_verdict": "true"}, "one of holds, false"),
    ({"articles": ("005",)}, "of 000, 001"),
])
def test_a_claim_that_cannot_be_entered(change, message):
    fields = {"id": "new", "expected_verdict": "holds", "articles": ()} | change
    with pytest.raises(ValueError, match=message):
        claims.enter(type("New", (claims.Claim,), fields))
    assert "new" not in claims.CLAIMS
