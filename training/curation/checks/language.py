"""Rows in another language than the expected one, by `py3langid` (naive Bayes over byte n-grams, 97 languages).

A text with a fifth of common English words counts as English without `py3langid`, which saves nearly all of the time.
Texts of fewer than eight words and uncertain verdicts are not reported; a row that mixes languages is judged as one
text.
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

MIN_WORDS = 8
MIN_PROBABILITY = 0.9
"""Probability from which a verdict counts."""
COMMON_SHARE = 0.2
COMMON_WORDS = (
    "the of and to that is for with be by this are or not from which shall any such it as on has have will its their "
    "what your you were been would may must than"
)
COMMON = frozenset(COMMON_WORDS.split())
"""English words that are hardly common in any other language of the Latin script."""


@lru_cache(maxsize=1)
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def language_problems(code: str) -> list[str]:
    """Return a problem for a code that the identifier does not know, if it is installed."""
    if code == "en" or find_spec("py3langid") is None:
        return []
    if code in _identifier().labels:
        return []
    return [f"--language {code!r}: is no code of a known language. Expected ISO 639-1, such as en, de or fr"]


def _language(text: str, expected: str) -> str:
    """Return the language of a text that is surely not in the expected one, else the empty string."""
    words = text.lower().split()
    if len(words) < MIN_WORDS:
        return ""
    if expected == "en" and sum(word in COMMON for word in words) >= COMMON_SHARE * len(words):
        return ""
    language, probability = _identifier().classify(text)
    return str(language) if language != expected and probability >= MIN_PROBABILITY else ""


def _identify(pairs: Sequence[tuple[str, str]], expected: str) -> list[tuple[str, str]]:
    """Return the unexpected language of each (prompt, answer) and a quotation of it, or two empty strings."""
    rows = []
    for pair in pairs:
        foreign = [(language, short(text)) for text in pair if (language := _language(text, expected))]
        rows.append(foreign[0] if foreign else ("", ""))
    return rows


def find(sample: Sample, settings: CheckSettings) -> CheckResult:
    """Report each row whose answer, or prompt without its boilerplate lines, is in another language."""
    if find_spec("py3langid") is None:
        return CheckResult(skipped=f"the package py3langid is not installed. {how_to_install('data')}")
    pairs = list(zip(sample.contents, sample.answers, strict=True))
    languages: list[tuple[str, str]] = spread(_identify, pairs, settings.language)
    findings = [
        RowFinding(row=index, reason=f"in {language}, not {settings.language}", quote=quote)
        for index, (language, quote) in enumerate(languages)
        if language
    ]
    return CheckResult(findings=findings, counts=dict(Counter(language for language, _ in languages if language)))


CHECK = Check(name="language", description="Rows in another language than --language.", action="flag", find=find)
