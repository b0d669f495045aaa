"""Floor: the source with every violation of the style guide replaced.

It corrects with the scorer's own rules, so it is as strong as find-and-replace can be: banned terms, slang, names and
grammar mistakes are replaced as the guide says or removed; typos stay, because no list has the right word.
"""

from functools import lru_cache
from pathlib import Path

from harness.schema import Case
from harness.scoring.brand import style_guide
from harness.scoring.brand.violations import NormalForms, ViolationFinder

GUIDE = Path(__file__).with_name("style.toml")


@lru_cache(maxsize=1)
def _finder() -> ViolationFinder:
    return ViolationFinder(style_guide.load(GUIDE))


def find_and_replace(case: Case) -> str:
    """Return the document with every violation replaced."""
    text = NormalForms(case.document)
    corrected = text.even
    for hit in reversed(_finder().hits(text, _finder().casing(text)[0])):
        if hit.kind != "typo":
            corrected = corrected[: hit.start] + hit.use + corrected[hit.end :]
    return corrected
