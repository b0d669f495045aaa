"""What several outcomes come to together. Knows no gate and no run."""

from collections.abc import Collection

from harness.schema import Outcome


def together(outcomes: Collection[Outcome]) -> Outcome:
    """Only passes make a pass; one failure or error fails; no outcome at all is not judged."""
    found = set(outcomes)
    if not found:
        return "skipped"
    if found & {"fail", "error"}:
        return "fail"
    return "pass" if found == {"pass"} else "inconclusive"
