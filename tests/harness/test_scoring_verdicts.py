"""Every verdict that a scorer of this project gives stands in one of the three lists, and in one only."""

import ast
from pathlib import Path

from harness.scoring import verdicts

SCORERS = Path(verdicts.__file__).parent
KNOWN = verdicts.BORNE_OUT | verdicts.FABRICATED | verdicts.OTHER


def stated() -> set[str]:
    """Words that a scorer's source gives as a span's verdict outright."""
    found = set()
    for path in SCORERS.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "verdict":
                found |= {n.value for n in ast.walk(node.value) if isinstance(n, ast.Constant)}
    return {word for word in found if isinstance(word, str)}


def test_no_verdict_has_two_standings() -> None:
    sizes = [len(verdicts.BORNE_OUT), len(verdicts.FABRICATED), len(verdicts.OTHER)]
    assert sum(sizes) == len(KNOWN)


def test_every_verdict_that_a_scorer_states_is_known() -> None:
    words = stated()
    assert {"supported", "found", "unreadable"} <= words
    assert words <= KNOWN
