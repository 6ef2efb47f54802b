"""What the README says can be typed, can be typed; what it points to is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.S)


def test_the_programs_run_one_after_another(tmp_path, monkeypatch, capsys):
    """In one session, as a reader would type them; and the numbers that stand beside them in comments come out."""
    monkeypatch.chdir(tmp_path)
    session = {}
    printed = []
    for block in BLOCKS:
        exec(compile(block, "README.md", "exec"), session)
        printed.append(capsys.readouterr().out)
    assert len(BLOCKS) >= 4
    assert float(re.search(r"tensor\((.*)\)", printed[0])[1]) == pytest.approx(101 * 1.5 ** 100)
    first, second = map(float, printed[1].split())
    y = 3.7 * 0.2 * 0.8                                     # the chain rule by hand
    assert first == pytest.approx(3.7 ** 2 * (1 - 2 * y) * (1 - 2 * 0.2))
    assert second == pytest.approx(3.7 ** 2 * (-2 * 3.7 * (1 - 2 * 0.2) ** 2 - 2 * (1 - 2 * y)))
    assert float(printed[2].split()[-1]) == pytest.approx(0.93, abs=0.03)
    assert float(re.search(r"\[\[(.*?)\]\]", printed[4])[1]) == 1 + 2 + 4 + 8 + 1096 * 15
    assert "Unscale" in printed[6]
    assert not printed[6].rstrip().endswith("tensor([[0., 0., 0.]], dtype=float32)")
    assert {path.name for path in tmp_path.iterdir()} == {"digits.pt", "trace.csv", "norms.png", "run.pt"}


def test_the_files_it_names_are_there():
    links = [target for target in re.findall(r"\]\(([^)]+)\)", README) if not target.startswith("http")]
    assert len(links) >= 4
    assert [target for target in links if not (ROOT / target).exists()] == []
    table = re.search(r"## Where things are\n(.*?)\n## ", README, re.S)[1]
    names = [name for row in re.findall(r"^\| (`.*?) \|", table, re.M) for name in re.findall(r"`([^`]+)`", row)]
    assert len(names) > 20
    assert [name for name in names if not (ROOT / name).exists()] == []
