"""What a page's cases can be filtered by, and the tokens that mark them. Knows no layout.

A token is made of letters, digits and hyphens alone, so that no text of a case reaches the script or an address.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence

from msgspec import Struct

from reports import case_words, words
from reports.model import Exchange, Facets, Section, Table


class Choice(Struct, frozen=True, kw_only=True):
    """One value that a reader can choose."""

    token: str
    """What stands for it in the page and in its address."""
    text: str
    """What a reader sees."""


class Filters(Struct, frozen=True, kw_only=True):
    """The choices of a page."""

    kinds: list[Choice]
    """What a case is shown for."""
    suites: list[Choice]
    """Suites; empty where there is one."""
    slices: list[Choice]
    """Slices."""
    tokens: dict[str, str]
    """Token by text, of suites and slices."""

    def of(self, facets: Facets | None) -> str:
        """The tokens of one case."""
        if facets is None:
            return ""
        return " ".join([*facets.kinds, *(self.tokens[text] for text in (facets.suite, *facets.slices))])


def filters_of(sections: Sequence[Section]) -> Filters | None:
    """The choices that the cases of these sections give; None where they show no case."""
    found = list(_facets(sections))
    if not any(isinstance(block, Exchange) and block.facets for section in sections for block in section.blocks):
        return None
    kinds = {kind for facets in found for kind in facets.kinds}
    suites = list(dict.fromkeys(facets.suite for facets in found))
    slices = sorted({text for facets in found for text in facets.slices})
    tokens = _tokens([*suites, *slices])
    return Filters(
        kinds=[Choice(token=kind, text=text) for kind, text in case_words.FILTERS.items() if kind in kinds],
        suites=[Choice(token=tokens[text], text=text) for text in suites] if len(suites) > 1 else [],
        slices=[Choice(token=tokens[text], text=text) for text in slices],
        tokens=tokens,
    )


def _facets(sections: Sequence[Section]) -> Iterator[Facets]:
    for block in (block for section in sections for block in section.blocks):
        if isinstance(block, Exchange) and block.facets:
            yield block.facets
        if isinstance(block, Table):
            yield from block.cases


def _tokens(texts: Sequence[str]) -> dict[str, str]:
    """A token a text; texts that read alike without their punctuation are told apart by a digest."""
    texts = list(dict.fromkeys(texts))
    times = Counter(words.slug(text) for text in texts)
    return {text: _token(text, times[words.slug(text)] > 1) for text in texts}


def _token(text: str, is_shared: bool) -> str:
    digest = hashlib.sha256(text.encode("utf-8", errors="surrogatepass")).hexdigest()[:6]
    return f"in-{words.slug(text)}" + (f"-{digest}" if is_shared else "")
