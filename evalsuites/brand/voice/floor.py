"""An answer by rule: the source with every hit of the style guide replaced. Knows no model and no task.

It corrects with the scorer's own rules, so it is as strong as find-and-replace can be: banned terms, slang, names and
slips are replaced by what the guide puts for them or left out; typos, for which no list holds the right word, stay.
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
    """The document with every hit replaced."""
    text = NormalForms(case.document)
    corrected = text.even
    for hit in reversed(_finder().hits(text, _finder().casing(text)[0])):
        if hit.kind != "typo":
            corrected = corrected[: hit.start] + hit.use + corrected[hit.end :]
    return corrected
