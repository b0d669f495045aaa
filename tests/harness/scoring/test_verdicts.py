"""Every verdict that a scorer of this project gives stands in one of the three lists, and in one only."""

import ast
from pathlib import Path

from harness.scoring.grounding import facts

SCORERS = Path(facts.__file__).parents[1]
KNOWN = facts.BORNE_OUT | facts.FABRICATED | facts.OTHER


def stated() -> set[str]:
    """Words that a scorer's source gives as a span's verdict outright."""
    found = set()
    for path in SCORERS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "verdict":
                found |= {n.value for n in ast.walk(node.value) if isinstance(n, ast.Constant)}
    return {word for word in found if isinstance(word, str)}


def test_no_verdict_has_two_standings() -> None:
    sizes = [len(facts.BORNE_OUT), len(facts.FABRICATED), len(facts.OTHER)]
    assert sum(sizes) == len(KNOWN)


def test_every_verdict_that_a_scorer_states_is_known() -> None:
    words = stated()
    assert {"supported", "found", "unreadable"} <= words
    assert words <= KNOWN
