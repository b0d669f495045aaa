"""Score each clause type alone, its paragraph, and the near misses; answers are read as in `clauses.found`.

An unreadable answer names no clause and no near miss: precision and the parse rate count it as wrong.
"""

import re
from collections.abc import Sequence

from harness.schema import Case, Completion, Score
from harness.scoring.base import Scorer, ratios, scorer
from harness.scoring.legal import clauses

FAMILY = "each_clause"
NEAR_MISS = {"near_miss_rate = taken / near_misses": "Share of the near misses which the answer takes for the clause."}
PLACED = {
    "placed_rate = placed / named": "Share of the clauses found for which the answer gives paragraphs that have the "
    "clause, and no other."
}
PARAGRAPHS = re.compile(r"[^\S\n]*(?:clause|provision)?[^\S\n]*[(\[:–—-]*[^;\n]*")
"""What follows a name, up to the next one."""


def slug(name: str) -> str:
    """Return a clause type as part of the names of metrics and counts: `attorneys_fees`."""
    return name.replace("'", "").replace("-", "_").replace(" ", "_")


def by_type(vocabulary: Sequence[str], with_places: bool = False) -> Scorer:
    """Make a scorer with one recall a clause type, and the rate of near misses taken for the clause.

    The case's `near_misses` lists the types asked about that its text comes near to. `with_places` adds the share of
    the clauses found whose paragraphs are right; the case's `places` has them, as in `repair (9, 11); insurance (7)`.
    """
    recalls = {
        f"recall_of_{slug(name)} = found_{slug(name)} / there_{slug(name)}": f"Share of the texts with the clause "
        f"'{name}' for which the answer names it."
        for name in vocabulary
    }
    metrics = [*ratios(FAMILY, recalls, NEAR_MISS), *ratios(FAMILY, PLACED if with_places else {})]
    counted = [(name, f"there_{slug(name)}", f"found_{slug(name)}") for name in vocabulary]

    @scorer(metrics=metrics, name=FAMILY, config=[*vocabulary, with_places])
    def each_clause(case: Case, completion: Completion) -> Score:
        """Each clause type found, among those that are there, near misses taken for one, and right paragraphs."""
        score = clauses.found(case, completion)
        named = score.extracted
        near = [name for name in case.input.get("near_misses", "").split("; ") if name]
        taken = [name for name in near if name in named["invented"]]
        misplaced = _misplaced(case, completion.text, score) if with_places else []
        counts = {"near_misses": len(near), "taken": len(taken)}
        if with_places:
            counts |= {"named": len(named["found"]), "placed": len(named["found"]) - len(misplaced)}
        for name, there, found in counted:
            counts[there] = int(name in case.expected)
            counts[found] = int(name in named["found"])
        right = not named["missing"] and not taken and not misplaced
        extracted = {"taken": taken, "misplaced": misplaced} if with_places else {"taken": taken}
        return Score(name=FAMILY, value=float(right), extracted=extracted, counts=counts)

    return each_clause


def _misplaced(case: Case, text: str, score: Score) -> list[str]:
    """Types that are found and whose paragraphs are missing or wrong."""
    right = {}
    for entry in case.input["places"].split("; "):
        name, _, numbers = entry.partition(" (")
        right[name] = set(re.findall(r"\d+", numbers))
    wrong = []
    spans = [span for span in score.spans if span.verdict == "found"]
    for name, span in zip(score.extracted["found"], spans, strict=True):
        after = PARAGRAPHS.match(text, span.end)
        given = set(re.findall(r"\d+", after[0])) if after else set()
        if not given or not given <= right[name]:
            wrong.append(name)
    return wrong
