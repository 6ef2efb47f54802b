"""The Chinese texts: their terms, their punctuation, and that the README says of each claim what was measured."""

import re
from functools import cache
from pathlib import Path

import pytest

from minigrad import claims

ROOT = Path(__file__).resolve().parent.parent
ZH = ROOT / "tutorials" / "zh"
SOURCES = sorted((ROOT / "tutorials" / "source").glob("[0-9][0-9]_*.py"))
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
         for path in (ROOT / "README.zh.md", ZH / "README.md", ZH / "TERMS.md")}
README = PAGES["README.zh.md"]
HAN = "\u4e00-\u9fff"
VERDICTS = {"成立": "holds", "不成立": "false", "视情况而定": "depends", "未获证实": "unproven",
            "无意义": "meaningless"}
ORDINALS = {str(place + 1): number for place, number in enumerate(claims.ARTICLES)}


def chinese_cells(path):
    """The text cells of a source in Chinese, without the marks of comments."""
    text = path.read_text(encoding="utf-8")
    cells = re.findall(r'^# %% \[markdown\] lang="zh"[^\n]*\n(.*?)(?=^# %%|\Z)', text, re.M | re.S)
    return [re.sub(r"^# ?", "", cell, flags=re.M) for cell in cells]


TEXTS = {**PAGES, **{path.name: "\n".join(chinese_cells(path)) for path in SOURCES}}
each = pytest.mark.parametrize("name", TEXTS)


def prose(text):
    """A text without its programs, formulas, names and addresses."""
    for what in (r"```.*?```", r"\$\$.*?\$\$"):
        text = re.sub(what, "§", text, flags=re.S)
    for what in (r"\$[^$\n]+\$", r"`[^`\n]+`", r"\]\([^)\s]*\)", r"^ {4}.*$", r"^\|[-|]+\|$"):
        text = re.sub(what, "§", text, flags=re.M)
    return text


def unquoted(text):
    """A text without what it quotes, in Chinese quotation marks."""
    return re.sub(r"“[^”]*”", "", text)


# ---------------------------------------------------------------------------------------- language

@each
def test_one_word_for_clipping(name):
    """Other renderings stand in quotation marks only, or where truncation, another word, is meant."""
    text = unquoted(prose(TEXTS[name]))
    if name == "README.zh.md":                      # two of the articles have the other word in their titles
        text = re.sub(r"\*\*(剪切与裁剪)\*\*|### 1\. 剪切与裁剪|比较梯度剪切与梯度正则化|剪切针对梯度爆炸", "", text)
    assert re.findall(r"剪切|剪裁|裁减|剪栽|修剪|梯度剪[^切]|梯度裁[^剪]", text) == []


@each
def test_terms_are_those_of_the_textbooks(name):
    wrong = {"梯度弥散": "梯度消失", "梯度炸裂": "梯度爆炸", "反向传递": "反向传播", "学习速率": "学习率",
             "阀值": "阈值", "域值": "阈值", "门限值": "阈值", "谱半经": "谱半径", "雅克比": "雅可比",
             "黑塞矩阵": "海森矩阵", "函式": "函数", "程式": "程序", "资料集": "数据集", "矢量": "向量",
             "随机数种子": "随机种子", "批次归一化": "批量归一化", "残差链接": "残差连接", "优化子": "优化器",
             "惩罚顶": "惩罚项", "循环网络": "循环神经网络"}
    text = unquoted(prose(TEXTS[name]))
    assert {found: right for found, right in wrong.items() if found in text} == {}


@each
def test_characters_are_simplified(name):
    """None of the traditional characters of the words that a course like this uses."""
    traditional = ("損學習網絡層數據訓練權說測級單運動優時間傳導歸標題這個們來為嗎還會沒對錯見處後應"
                   "該從實驗證參讀寫圖與幾種過遠進開關閉變換點線圍內長輸積總結論範閾")
    assert sorted(set(TEXTS[name]) & set(traditional)) == []


@each
def test_punctuation_is_full_width_between_chinese_characters(name):
    text = prose(TEXTS[name])
    assert re.findall(rf"[{HAN}][,;:?!][{HAN} \n]|[{HAN}]\.[{HAN}\s]|[{HAN}]\([{HAN}]|[{HAN}]\)[{HAN}]", text) == []
    assert re.findall(rf"[{HAN}] [{HAN}]", text) == []
    assert re.findall(r" [，。；：？！、）”]|[（“] ", text) == []


@each
def test_there_is_a_space_between_chinese_and_latin(name):
    text = re.sub(r"[*_]+", "", prose(TEXTS[name]))
    assert re.findall(rf".{{4}}[{HAN}][A-Za-z0-9].{{4}}|.{{4}}[A-Za-z0-9][{HAN}].{{4}}", text) == []


# ------------------------------------------------------------------------------------------- terms

def terms():
    """Rows (English, Chinese, explanation) of the table of terms."""
    rows = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", PAGES["tutorials/zh/TERMS.md"], re.M)
    return [row for row in rows if row[0] != "English" and not row[0].startswith("-")]


def test_every_term_is_used_in_the_course_and_stands_once():
    course = "\n".join(TEXTS[path.name] for path in SOURCES)
    rows = terms()
    assert len(rows) >= 50
    assert [chinese for _, chinese, _ in rows if chinese not in course] == []
    for column in (0, 1):
        names = [row[column] for row in rows]
        assert sorted(names) == sorted(set(names))
    assert all(re.search(rf"[{HAN}]", explanation) and not re.search(rf"[{HAN}]", english)
               for english, _, explanation in rows)


def test_the_words_of_the_verdicts_are_explained():
    rows = {chinese: explanation for _, chinese, explanation in terms()}
    assert all(word in rows["判定"] for word in VERDICTS)
    assert set(VERDICTS.values()) == set(claims.VERDICTS)


# ---------------------------------------------------------------------------------- links and programs

@pytest.mark.parametrize("name", PAGES)
def test_the_files_it_names_are_there(name):
    folder = (ROOT / name).parent
    links = [target for target in re.findall(r"\]\(([^)\s]+)\)", PAGES[name]) if not target.startswith("http")]
    assert links
    assert [target for target in links if not (folder / target).exists()] == []


def test_the_programs_are_those_of_the_english_readme():
    """Which are run there, one after another, and checked."""
    english = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)
    blocks = re.findall(r"```python\n(.*?)```", README, re.S)
    assert len(blocks) >= 3
    assert [block for block in blocks if block not in english] == []


def test_they_run_one_after_another(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    session = {}
    for block in re.findall(r"```python\n(.*?)```", README, re.S):
        exec(compile(block, "README.zh.md", "exec"), session)
    assert float(re.search(r"tensor\((.*?)\)", capsys.readouterr().out)[1]) == pytest.approx(101 * 1.5 ** 100)
    assert 0.5 ** 100 * 101 == pytest.approx(1e-28, rel=0.3)


def test_the_list_of_tutorials_is_that_of_the_sources():
    rows = re.findall(r"^\| (\d\d) \| \[(.+?)\]\((.+?)\) \|", PAGES["tutorials/zh/README.md"], re.M)
    titles = [re.match(r"# (\d\d) · (.+)", chinese_cells(path)[0]).groups() for path in SOURCES]
    assert [row[:2] for row in rows] == titles
    assert [row[2] for row in rows] == [f"{path.stem}.ipynb" for path in SOURCES]


# ------------------------------------------------------------------------------------------ claims

LINES = [re.split(r" \| ", line.strip("| ")) for line in README.splitlines() if "| `minigrad claims " in line]
ROWS = [(row[0], *row) if len(row) == 5 else (row[0], row[0], None, *row[1:]) for row in LINES]
FOUND = {re.fullmatch(r"`minigrad claims ([\w-]+)`", row[-1])[1]: row for row in ROWS}


def test_each_claim_stands_once():
    assert len(ROWS) == len(FOUND)
    assert sorted(FOUND) == sorted(claims.CLAIMS)


@pytest.mark.parametrize("name", FOUND)
def test_the_verdict_is_the_measured_one(name):
    """The expected verdict, which the tests of the claims hold to what is measured."""
    row = FOUND[name]
    assert VERDICTS[row[3].strip("*")] == claims.find(name).expected_verdict
    if row[2] is not None:
        assert tuple(ORDINALS[ordinal] for ordinal in row[2].split("、")) == claims.find(name).articles


def test_each_article_has_its_own_claims_and_their_count():
    everything = claims.CLAIMS.values()
    sections = dict(re.findall(r"^### (\d)\. [^\n]+\n(.*?)(?=^##)", README, re.M | re.S))
    for ordinal, number in ORDINALS.items():
        said = [claim for claim in everything if number in claim.articles]
        own = set(re.findall(r"`minigrad claims ([\w-]+)`", sections[ordinal]))
        assert own == {claim.id for claim in said if claim.articles == (number,)}
        counts = {word: sum(claim.expected_verdict == kind for claim in said) for word, kind in VERDICTS.items()}
        parts = [f"{word} {count}" for word, count in counts.items() if count]
        assert f"共 {len(said)} 条：{'，'.join(parts)}。" in sections[ordinal]
    counts = {word: sum(claim.expected_verdict == kind for claim in everything) for word, kind in VERDICTS.items()}
    assert f"合计：{'，'.join(f'{word} {count} 条' for word, count in counts.items())}。" in README
    assert f"全部 {len(claims.CLAIMS)} 条" in README


SLOW = {"vanishing-stalls", "clip-explosion", "small-threshold", "threshold-by-trying", "clip-helps-rnn", "clip-slower",
        "accuracy", "over-fitting", "large-and-precise", "accumulation-steps", "regularise-small", "combine-remedies",
        "mixed-precision", "resolution"}


@cache
def judged(name):
    """A claim, judged once."""
    return claims.find(name).judge()


def is_measured(token, numbers):
    """Whether a number of the text is one of those measured, to the digits shown; in per cent, too."""
    share = token.endswith("%")
    shown = float(token.rstrip("%"))
    mantissa = token.rstrip("%").lstrip("+-").split("e")[0]
    digits = len(mantissa.partition(".")[2])
    for measured in numbers:
        value = measured * 100 if share else measured
        if "e" in token:
            # Rounding errors differ between machines: of those only the size counts.
            if shown == 0 or value == 0:
                continue
            if 1e-17 < abs(shown) < 1e-14 and 1e-17 < abs(value) < 1e-13:
                return True
            if float(f"{value:.{digits}e}") == shown:
                return True
        elif abs(value - shown) <= 0.51 * 10.0 ** -digits or abs(abs(value) - abs(shown)) <= 0.51 * 10.0 ** -digits:
            return True
    return False


@pytest.mark.parametrize("name", [name for name in FOUND if name not in SLOW])
def test_the_numbers_are_the_measured_ones(name):
    """Every number in what is said to have been measured is in the claim's numbers, or in its words."""
    verdict, claim = judged(name), claims.find(name)
    words = f"{claim.__doc__} {claim.text} {claim.question} {claim.title} {verdict.sentence}"
    numbers = [abs(v) for v in verdict.numbers.values()]
    numbers += [float(n) for n in re.findall(r"\d+(?:\.\d+)?(?:e[-+]?\d+)?", words)]
    tokens = re.findall(r"(?<![\w.^])[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?%?(?![\w.])", prose(FOUND[name][4]))
    assert [token for token in tokens if not is_measured(token, numbers)] == []


@pytest.mark.parametrize("name", sorted(SLOW))
def test_the_slow_ones_are_in_the_table_too(name):
    assert name in FOUND
    assert re.search(r"\d", FOUND[name][4])
