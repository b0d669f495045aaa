"""Finds rows in another language than the one asked for, by `py3langid` (naive Bayes over byte n-grams, 97 languages).

English is told without it where a fifth of a text's words are common English ones, which saves nearly all of the time.
Texts of fewer than eight words, and those that it is not sure of, are not judged; a row that mixes languages is judged
as one text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

from harness.errors import how_to_install
from training.curation.check import Check, CheckResult, CheckSettings, RowFinding, Sample, short
from training.curation.text import spread

FEWEST_WORDS = 8
SURE = 0.9
"""Probability from which a verdict counts."""
COMMON_SHARE = 0.2
COMMON_WORDS = (
    "the of and to that is for with be by this are or not from which shall any such it as on has have will its their "
    "what your you were been would may must than"
)
COMMON = frozenset(COMMON_WORDS.split())
"""English words that no other language of the Latin script has among its own common ones, or hardly any."""


@lru_cache(maxsize=1)
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def _language(text: str, expected: str) -> str:
    """The language of a text where it is surely not the expected one, or the empty string."""
    said = text.lower().split()
    if len(said) < FEWEST_WORDS:
        return ""
    if expected == "en" and sum(word in COMMON for word in said) >= COMMON_SHARE * len(said):
        return ""
    found, probability = _identifier().classify(text)
    return str(found) if found != expected and probability >= SURE else ""


def _look(pairs: Sequence[tuple[str, str]], expected: str) -> list[tuple[str, str]]:
    """Another language and the text that is in it, of every row: its prompt or its answer."""
    rows = []
    for pair in pairs:
        found = [(language, short(text)) for text in pair if (language := _language(text, expected))]
        rows.append(found[0] if found else ("", ""))
    return rows


def find(sample: Sample, settings: CheckSettings) -> CheckResult:
    """Each row whose prompt, its stock lines aside, or answer is in another language."""
    if find_spec("py3langid") is None:
        return CheckResult(skipped=f"the package py3langid is not installed. {how_to_install('data')}")
    pairs = list(zip(sample.contents, sample.answers, strict=True))
    seen: list[tuple[str, str]] = spread(_look, pairs, settings.language)
    findings = [
        RowFinding(row=index, reason=f"in {language}, not {settings.language}", quote=quote)
        for index, (language, quote) in enumerate(seen)
        if language
    ]
    return CheckResult(findings=findings, counts=dict(Counter(language for language, _ in seen if language)))


CHECK = Check(name="language", says="Rows in another language than the one asked for.", action="flag", find=find)
