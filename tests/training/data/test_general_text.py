"""The general text: long and varied enough to measure a loss on, plain, of no trade that a suite tests, and shipped."""

import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import training

FILE = Path(training.__file__).with_name("data") / "general.txt"
PARAGRAPHS = FILE.read_text("utf-8").strip().split("\n\n")
OF_A_TRADE = (
    *("agreement", "attorney", "clause", "contract", "court", "deed", "landlord", "law", "lease", "legal", "tenant"),
    *("bank", "credit", "dollar", "fund", "interest", "invest", "loan", "money", "price", "rent", "share", "tax"),
)


def words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", text.lower())


def test_it_has_the_length_that_its_loss_is_compared_at():
    assert 16 <= len(PARAGRAPHS) <= 20
    assert 1100 <= sum(len(paragraph.split()) for paragraph in PARAGRAPHS) <= 1400
    assert all(50 <= len(paragraph.split()) <= 100 for paragraph in PARAGRAPHS)


def test_paragraphs_are_on_topics_of_their_own():
    long = [{word for word in words(paragraph) if len(word) >= 5} for paragraph in PARAGRAPHS]
    pairs = [(one, other) for at, one in enumerate(long) for other in long[:at]]
    assert max(len(one & other) / min(len(one), len(other)) for one, other in pairs) < 0.25


def test_it_speaks_of_no_trade_that_a_suite_tests():
    forms = {form for word in words(" ".join(PARAGRAPHS)) for form in (word, word.removesuffix("s"))}
    assert forms.isdisjoint(OF_A_TRADE)


def test_it_is_shipped_with_the_package():
    project = tomllib.loads((FILE.parents[2] / "pyproject.toml").read_text("utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["*"]
    assert any(fnmatch(FILE.name, pattern) for pattern in patterns)
