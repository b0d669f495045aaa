"""Which page needs what. A line for a page that needs more, or other things, than a project with a suite and a run."""

from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from tests.docs import people, places
from tests.docs.blocks import ROOT, blocks_of, text_of

Prepare = Callable[[Path], None]


class Need(Struct, frozen=True, kw_only=True):
    """What the reader of a page has, and what they do between its blocks."""

    prepare: Prepare = places.a_project
    """Fills the folder in which the first block begins."""
    prepare_real: Prepare | None = None
    """The same where the real model is asked, if it is not the same."""
    before: tuple[tuple[str, Prepare], ...] = ()
    """What happens before a block that holds a text."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables that are set."""
    right: bool = True
    """Whether the fake engine gives right answers, so that gates pass."""
    tokenizer: bool = False
    """Whether the embedded model's tokenizer is asked for."""
    data: bool = False
    """Whether it needs the public data."""
    output: bool = False
    """Whether the page's blocks of text are what its commands print."""

    def shown(self, page: str) -> list[str]:
        """Lines that the page says are printed; a refusal, which begins with `tunegate: `, is tested apart."""
        texts = [b.text for b in blocks_of(page, text_of(page)) if b.language == "text"] if self.output else []
        return [line for text in texts if not text.startswith("tunegate: ") for line in text.splitlines()]


CHECKOUT = Need(prepare=places.a_checkout, prepare_real=places.a_whole_checkout, right=False)
NEEDS = {
    "CONTRIBUTING.md": CHECKOUT,
    "README.md": replace(CHECKOUT, environment={"ROWS": "64", "TESTS": str(ROOT / "tests/harness/test_errors.py")}),
    "docs/data.md": Need(prepare=places.with_mails, tokenizer=True),
    "docs/first-suite.md": Need(prepare=places.nothing, right=False, output=True),
    "docs/history.md": Need(prepare=places.a_project_with_files_of("docs/history.md")),
    "docs/own-scorer.md": Need(prepare=places.with_own_scorer),
    "docs/own-suite.md": Need(prepare=places.with_contracts),
    "docs/review.md": Need(before=people.REVIEW),
    "docs/scorer-validity.md": CHECKOUT,
    "docs/scoring.md": Need(
        prepare=places.a_project_with_files_of("docs/scoring.md"), before=(("labels import", people.a_label),)
    ),
    "docs/serving.md": Need(prepare_real=places.with_approved_adapter),
    "docs/tutorial.md": replace(CHECKOUT, output=True),
}
REAL = {
    "README.md": "TUNEGATE_SERVERS",
    "docs/first-suite.md": "TUNEGATE_SERVERS",
    "docs/scorer-validity.md": "TUNEGATE_SERVERS",
    "docs/serving.md": "TUNEGATE_SERVERS",
    "docs/tutorial.md": "TUNEGATE_TUTORIAL",
    "evalsuites/general/basics/README.md": "TUNEGATE_SERVERS",
}
"""Pages that a test follows with the real model, where this is in the environment."""


def need_of(page: str) -> Need:
    if page.startswith("evalsuites/"):
        data = page.startswith(("evalsuites/public/", "evalsuites/general/claims/"))
        return replace(CHECKOUT, data=data)
    return NEEDS.get(page) or Need()
