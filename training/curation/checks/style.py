"""Finds typos in rows, and slang, informal marks, banned terms and misspelt names in their answers, by the voice rules.

Without a style guide, contractions, lists and capitals are allowed and no term is banned. A word that the list does
not have, but five rows or more do, is a term of the domain and no typo. What the rules miss is said in
`harness/scoring/brand/spelling.py`, `slips.py` and `tone.py`; they know English alone.
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
"""Rows from which an unknown word is a term."""
ALLOWED = ("contractions", "all_caps", "lists", "grammar_slips")
"""What a guide that nobody wrote allows."""
KINDS = {"banned": "banned_terms", "casing": "banned_terms", "slang": "informal", "tone": "informal"}
"""Checks by the kinds of the voice rules' hits; grammar goes with the informal."""
LANGUAGE = "en"


class WordingHit(NamedTuple):
    """What a row holds: the check it belongs to, the words, why, and what stands around them."""

    check: str
    said: str
    why: str
    quote: str


@lru_cache(maxsize=4)
def _finder(style: str) -> ViolationFinder:
    if style:
        return ViolationFinder(load(style))
    tone = Tone(**{switch: switch in ALLOWED for switch in SWITCHES})
    return ViolationFinder(StyleGuide(client="", tone=tone))


def _look(pairs: Sequence[tuple[str, str]], style: str) -> list[list[WordingHit]]:
    """Hits of every row, a prompt and an answer; unknown words that may be terms are among them."""
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
            said = text.even[hit.start : hit.end]
            hits.append(WordingHit(KINDS.get(hit.kind, "informal"), said, why, around(text.even, hit.start, hit.end)))
    return hits + _unknown(finder, text)


def _hits(sample: Sample, settings: CheckSettings) -> list[list[WordingHit]]:
    pairs = list(zip(sample.prompts, sample.answers, strict=True))
    made: list[list[WordingHit]] = sample.once("wording", lambda: spread(_look, pairs, settings.style))
    return made


def _findings(sample: Sample, settings: CheckSettings, check: str, terms: Collection[str] = ()) -> list[RowFinding]:
    """One finding for each row that has hits of the check."""
    findings = []
    for index, hits in enumerate(_hits(sample, settings)):
        mine = [hit for hit in hits if hit.check == check and hit.said not in terms]
        if mine:
            said = ", ".join(dict.fromkeys(f"“{hit.said}”" for hit in mine))
            findings.append(RowFinding(row=index, reason=f"{said}: {mine[0].why}", quote=mine[0].quote))
    return findings


def find_typos(sample: Sample, settings: CheckSettings) -> CheckResult:
    """Each row with a word that is in no list and in few rows."""
    if settings.language != LANGUAGE:
        return CheckResult(skipped=f"only English words are known, and the language is {settings.language}")
    rows = Counter(word for hits in _hits(sample, settings) for word in {h.said for h in hits if h.check == "typos"})
    terms = {word for word, count in rows.items() if count >= TERM_ROWS}
    listed = ", ".join(f"{word} ({rows[word]:,})" for word in sorted(terms, key=lambda w: (-rows[w], w))[:10])
    notes = [f"Unknown words in {TERM_ROWS} rows or more, taken for terms: {listed}."] if terms else []
    return CheckResult(findings=_findings(sample, settings, "typos", terms), notes=notes)


def find_informal(sample: Sample, settings: CheckSettings) -> CheckResult:
    """Each row whose answer is in a tone that is not allowed."""
    if settings.language != LANGUAGE:
        return CheckResult(skipped=f"only English is known, and the language is {settings.language}")
    return CheckResult(findings=_findings(sample, settings, "informal"))


def find_banned(sample: Sample, settings: CheckSettings) -> CheckResult:
    """Each row whose answer holds a banned term or a misspelt name of the style guide."""
    if not settings.style:
        return CheckResult(skipped="no style guide is given. Name one with --style")
    return CheckResult(findings=_findings(sample, settings, "banned_terms"))


TYPOS = Check(name="typos", says="Words that no list has, in prompts and answers.", action="flag", find=find_typos)
INFORMAL = Check(
    name="informal",
    says="Answers with slang, emoji or repeated marks, or in a tone that the style guide forbids.",
    action="flag",
    find=find_informal,
)
BANNED = Check(
    name="banned_terms",
    says="Answers with a term that the style guide bans, or a name that it writes otherwise.",
    action="flag",
    find=find_banned,
)
