"""``minigrad claims``: tables, JSON, Markdown, figures, exit status, refusals."""

import json

import pytest
from commanding import call, refusal

from minigrad import claims

TWO = ("two-words", "formula-003")


def test_a_table_fits_a_hundred_columns(capsys):
    assert call("claims", *TWO, "accumulate-large-batch") == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[0].startswith("claim ")
    assert [line.split()[:2] for line in lines[2:] if line[:1].strip()][:3] == [
        ["two-words", "false"], ["formula-003", "false"], ["accumulate-large-batch", "depends"]]
    assert "(article 000)" in out
    assert lines[-1] == "3 claims: 2 false, 1 depends."


def test_one_claim_is_shown_in_full_with_its_expected_numbers(capsys):
    assert call("claims", "formula-003") == 0
    out = capsys.readouterr().out
    assert claims.find("formula-003").question in out
    assert "FALSE: the measurement contradicts it" in out
    assert "article   003: " in out
    assert " ok  1e+05 " in out
    assert max(map(len, out.splitlines())) <= 120


def test_json_has_all(capsys):
    assert call("claims", "--json", *TWO) == 0
    record = json.loads(capsys.readouterr().out)
    assert [c["id"] for c in record["claims"]] == list(TWO)
    first = record["claims"][0]
    assert first["verdict"] == first["expected verdict"] == "false"
    assert first["numbers"]["largest difference of the weights"] == 0
    assert all(e["ok"] for c in record["claims"] for e in c["expected"])
    assert first["articles"] == ["000"]
    assert first["figure"] is None


def test_markdown_and_figures(tmp_path, capsys):
    assert call("claims", "--markdown", *TWO, "--figures", tmp_path / "new") == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "| claim | said in | verdict | what was measured |"
    assert len(out) == 4
    assert all(line.replace(r"\|", "").count("|") == 5 for line in out)
    assert "[figure](formula-003.png)" in out[3]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["formula-003.png"]


def test_the_list_measures_nothing(capsys, monkeypatch):
    monkeypatch.setattr(claims.Claim, "judge", None)
    assert call("claims", "--list") == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(claims.CLAIMS)


def test_a_claim_named_twice_is_judged_once(capsys):
    assert call("claims", "--json", "two-words", "two-words") == 0
    assert len(json.loads(capsys.readouterr().out)["claims"]) == 1


@pytest.mark.parametrize("options", [(), ("--json",), ("--markdown",)])
def test_a_verdict_that_is_not_as_expected_gives_status_1(options, capsys, monkeypatch):
    monkeypatch.setattr(type(claims.find("two-words")), "decide", lambda self, n: "holds")
    assert call("claims", *TWO, *options) == 1
    out = capsys.readouterr().out
    assert "holds" in out
    if not options:
        assert "EXPECTED: false." in out
        assert out.rstrip().endswith("Not as expected: two-words.")


def test_an_unknown_claim_is_one_line_with_the_nearest_and_all(capsys):
    line = refusal(capsys, "claims", "two-word")
    assert line.startswith("no claim 'two-word'; did you mean two-words")
    assert all(name in line for name in claims.CLAIMS)


@pytest.mark.parametrize(("argv", "message"), [
    (("--seed=-1",), "not a whole number"), (("--seed", "1.5"), "not a whole number"),
    (("--threads", "0"), "not a whole number"),
    (("--json", "--markdown"), "not allowed with"),
])
def test_bad_options_are_one_line(argv, message, capsys):
    assert message in refusal(capsys, "claims", *argv)


def test_a_folder_that_cannot_be_made(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert "is a file" in refusal(capsys, "claims", "two-words", "--figures", tmp_path / "file")


def test_a_seed_is_passed_on(capsys):
    assert call("claims", "--json", "--seed", "7", "clip-information") == 0
    record = json.loads(capsys.readouterr().out)
    assert record["seed"] == 7
    assert record["claims"][0]["numbers"] == claims.find("clip-information").judge(7).numbers
