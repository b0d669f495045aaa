"""Typos in rows, and slang, informal marks, banned terms and misspelt names in answers, by the rules of brand voice.

Without a style guide, contractions, lists and capitals are allowed and no term is banned. An unknown word in five rows
or more is a term of the domain, not a typo. `harness/scoring/brand/spelling.py`, `slips.py` and `tone.py` describe what
the rules miss; they cover English only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import NamedTuple

from harness.scoring.brand import spelling
from harness.scoring.brand.style_guide import SWITCHES, StyleGuide, Tone, load
from harness.scoring.brand.violations import NormalForms, ViolationFinder
from training.curation.check import Check, CheckResult, CheckSettings, RowFinding, Sample, around
from training.curation.text import spread

TERM_ROWS = 5
"""An unknown word in this many rows is a term."""
ALLOWED = ("contractions", "all_caps", "lists", "grammar_slips", "exclamations")
"""What is allowed without a style guide."""
KINDS = {"banned": "banned_terms", "casing": "banned_terms", "slang": "informal", "tone": "informal"}
"""Checks by the kinds of the voice rules' hits; grammar goes with the informal."""
LANGUAGE = "en"


class WordingHit(NamedTuple):
    """A hit in a row: the check that reports it, the words, the reason, and a quotation."""

    check: str
    words: str
    why: str
    quote: str


@lru_cache(maxsize=4)
def _finder(style: str) -> ViolationFinder:
    if style:
        return ViolationFinder(load(style))
    tone = Tone(**{switch: switch in ALLOWED for switch in SWITCHES})
    return ViolationFinder(StyleGuide(client="", tone=tone))


def _find_hits(pairs: Sequence[tuple[str, str]], style: str) -> list[list[WordingHit]]:
    """Return the hits of every (prompt, answer), including unknown words that may be terms."""
    finder = _finder(style)
    return [[*_unknown(finder, NormalForms(prompt)), *_answer(finder, NormalForms(answer))] for prompt, answer in pairs]


def _unknown(finder: ViolationFinder, text: NormalForms) -> list[WordingHit]:
    spans = spelling.typos(text.even, text.words, finder.allowed)
    return [
        WordingHit("typos", text.low[s:e], "not a word of the list", around(text.even, s, e)) for s, e in sorted(spans)
    ]


def _answer(finder: ViolationFinder, text: NormalForms) -> list[WordingHit]:
    casing, _ = finder.casing(text)
    hits = []
    for hit in finder.hits(text, casing):
        if hit.kind != "typo":
            why = f"{hit.why or hit.rule}{f'; write “{hit.use}”' if hit.use else ''}"
            words = text.even[hit.start : hit.end]
            hits.append(WordingHit(KINDS.get(hit.kind, "informal"), words, why, around(text.even, hit.start, hit.end)))
    return hits + _unknown(finder, text)


def _hits(sample: Sample, settings: CheckSettings) -> list[list[WordingHit]]:
    pairs = list(zip(sample.prompts, sample.answers, strict=True))
    hits: list[list[WordingHit]] = sample.cached("wording", lambda: spread(_find_hits, pairs, settings.style))
    return hits


def _findings(sample: Sample, settings: CheckSettings, check: str, terms: Collection[str] = ()) -> list[RowFinding]:
    """Return one finding for each row with hits of the check."""
    findings = []
    for index, hits in enumerate(_hits(sample, settings)):
        row_hits = [hit for hit in hits if hit.check == check and hit.words not in terms]
        if row_hits:
            words = ", ".join(dict.fromkeys(f"“{hit.words}”" for hit in row_hits))
            findings.append(RowFinding(row=index, reason=f"{words}: {row_hits[0].why}", quote=row_hits[0].quote))
    return findings


def find_typos(sample: Sample, settings: CheckSettings) -> CheckResult:
    """Report each row with a word that is in no word list and in few rows."""
    if settings.language != LANGUAGE:
        return CheckResult(skipped=f"this check covers English only, and --language is {settings.language}")
    rows = Counter(word for hits in _hits(sample, settings) for word in {h.words for h in hits if h.check == "typos"})
    terms = {word for word, count in rows.items() if count >= TERM_ROWS}
    listed = ", ".join(f"{word} ({rows[word]:,})" for word in sorted(terms, key=lambda w: (-rows[w], w))[:10])
    notes = [f"Unknown words in {TERM_ROWS} rows or more, treated as terms: {listed}."] if terms else []
    return CheckResult(findings=_findings(sample, settings, "typos", terms), notes=notes)


def find_informal(sample: Sample, settings: CheckSettings) -> CheckResult:
    """Report each row whose answer has a tone that is not allowed."""
    if settings.language != LANGUAGE:
        return CheckResult(skipped=f"this check covers English only, and --language is {settings.language}")
    return CheckResult(findings=_findings(sample, settings, "informal"))


def find_banned(sample: Sample, settings: CheckSettings) -> CheckResult:
    """Report each row whose answer has a banned term or a misspelt name of the style guide."""
    if not settings.style:
        return CheckResult(skipped="no style guide is given. Set one with --style")
    return CheckResult(findings=_findings(sample, settings, "banned_terms"))


TYPOS = Check(
    name="typos", description="Words in no word list, in prompts and answers.", action="flag", find=find_typos
)
INFORMAL = Check(
    name="informal",
    description="Answers with slang, emoji or repeated marks, or in a tone that the style guide forbids.",
    action="flag",
    find=find_informal,
)
BANNED = Check(
    name="banned_terms",
    description="Answers with a term that the style guide bans, or a name that it spells differently.",
    action="flag",
    find=find_banned,
)
