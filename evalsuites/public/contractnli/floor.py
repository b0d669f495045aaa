"""Keyword floor: for each statement words that affirm it, and words that deny it.

Written from the statements' subjects and common wording of such agreements; not fitted to the cases.
"""

import re

from evalsuites.public.contractnli.ndas import CONTRADICTION, ENTAILMENT, NOT_MENTIONED
from harness.schema import Case

ABOUT = {
    "nda-1": (
        r"\b(?:marked|labell?ed|designated|identified|legend)\b",
        r"\b(?:whether or not|regardless).{0,40}marked",
    ),
    "nda-2": (r"\bonly\b.{0,60}\btechnical\b", r"\b(?:business|financial|customers?|marketing|pricing|personnel)\b"),
    "nda-3": (r"\b(?:oral|orally|verbal|verbally|spoken)\b", r"\bonly\b.{0,30}\bin writing\b"),
    "nda-4": (
        r"\b(?:sole(?:ly)?|only|other than)\b.{0,60}\bpurposes?\b|\bpurposes?\b.{0,30}\bonly\b",
        r"\bany purpose\b",
    ),
    "nda-5": (r"\b(?:employees|staff|personnel)\b", r"\bnot\b.{0,40}\bto\b.{0,20}\bemployees\b"),
    "nda-7": (r"\b(?:advis[eo]rs|consultants|agents|representatives|affiliates)\b", r"\bnot\b.{0,60}\bany third part"),
    "nda-8": (r"\b(?:notify|notice|notification)\b", r"\bwithout notice\b"),
    "nda-10": (r"\b(?:existence|fact that|terms of this agreement|discussions)\b", r"\bmay announce\b"),
    "nda-11": (r"\b(?:reverse[- ]engineer|decompil|disassembl)", r"\bmay reverse\b"),
    "nda-12": (r"\bindependently\b", r"\bnot\b.{0,30}\bindependently\b"),
    "nda-13": (r"\bthird part(?:y|ies)\b|\banother source\b", r"\bnever\b.{0,30}\bthird party\b"),
    "nda-15": (r"\b(?:no|not|nothing)\b.{0,80}\b(?:licen[sc]e|rights?|title|interest)\b", r"\bhereby grants\b"),
    "nda-16": (r"\b(?:return|destroy)", r"\bneed not (?:return|destroy)"),
    "nda-17": (
        r"\bmay (?:make|create)\b.{0,30}\bcop|\bcopies\b",
        r"\bnot\b.{0,40}\b(?:copy|copies|reproduce|duplicate)",
    ),
    "nda-18": (r"\b(?:solicit|hire|recruit)", r"\bfree to (?:hire|solicit)"),
    "nda-19": (r"\b(?:surviv|remain in (?:full )?(?:force|effect)|years? (?:after|from|following))", r"\bend upon\b"),
    "nda-20": (r"\b(?:retain|keep|archiv)", r"\b(?:return|destroy)\w*\b.{0,60}\b(?:all|any)\b.{0,30}\bcopies\b"),
}
"""By statement: what is answered with Entailment, and before it, with Contradiction."""

_COMPILED = {key: tuple(re.compile(pattern, re.I | re.S) for pattern in patterns) for key, patterns in ABOUT.items()}


def keyword_floor(case: Case) -> str:
    """Return the label whose words are in the excerpt, with the sentences that have them."""
    patterns = _COMPILED.get(case.tags.get("statement", ""))
    lines = [line for line in case.document.splitlines() if line.startswith("[")]
    for label, pattern in zip((CONTRADICTION, ENTAILMENT), reversed(patterns or ()), strict=False):
        hits = [line.split("]")[0] + "]" for line in lines if pattern.search(line)]
        if hits:
            return " ".join([label, *hits])
    return NOT_MENTIONED
