"""Finds rows that repeat an earlier one, but for letter case, white space and compatibility forms (NFKC)."""

from __future__ import annotations

import hashlib
import unicodedata

from training.curation.findings import Check, Finding, Found
from training.curation.sample import Sample
from training.curation.settings import Settings


def folded(text: str) -> str:
    """Equal for texts that differ in letter case, white space and compatibility forms alone."""
    even = text if text.isascii() else unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(even.casefold().split())


def key(*texts: str) -> bytes:
    """Digest of texts, folded."""
    return hashlib.sha256("\0".join(map(folded, texts)).encode()).digest()


def find(sample: Sample, settings: Settings) -> Found:
    """Each row whose prompt and answer an earlier row has too."""
    first: dict[bytes, int] = {}
    findings = []
    for index, (prompt, answer) in enumerate(zip(sample.prompts, sample.answers, strict=True)):
        earlier = first.setdefault(key(prompt, answer), index)
        if earlier != index:
            findings.append(
                Finding(
                    row=index,
                    reason=f"repeats {sample.where(earlier)}",
                    quote=sample.quote(index),
                    other=sample.where(earlier),
                    other_quote=sample.quote(earlier),
                )
            )
    return Found(findings=findings)


CHECK = Check(name="exact_duplicates", says="Rows that repeat an earlier row word for word.", action="drop", find=find)
