"""Floor: the source with every violation of the style guide replaced.

It corrects with the scorer's own rules, so it is as strong as find-and-replace can be: banned terms, slang, names and
grammar mistakes are replaced as the guide says or removed; typos stay, because no list has the right word.
"""

from functools import cache

from evalsuites.brand.voice.briefs import brands
from harness.schema import Case
from harness.scoring.brand import style_guide
from harness.scoring.brand.violations import NormalForms, ViolationFinder


@cache
def _finder(brand: str) -> ViolationFinder:
    return ViolationFinder(style_guide.load(brands()[brand].style))


def find_and_replace(case: Case) -> str:
    """Return the document with every violation replaced."""
    text, finder = NormalForms(case.document), _finder(case.tags["brand"])
    corrected = text.even
    for hit in reversed(finder.hits(text, finder.casing(text)[0])):
        if hit.kind != "typo":
            corrected = corrected[: hit.start] + hit.use + corrected[hit.end :]
    return corrected
