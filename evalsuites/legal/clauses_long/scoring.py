"""Score each critical clause alone, and the near misses; answers are read as in `clauses.found`.

An unreadable answer names no clause and no near miss: precision and the parse rate count it as wrong.
"""

from collections.abc import Sequence

from harness.schema import Case, Completion, Metric, Score
from harness.scoring.base import Scorer, scorer
from harness.scoring.legal import clauses

FAMILY = "each_clause"
NEAR_MISS = Metric(
    name="near_miss_rate",
    scorer=FAMILY,
    numerator="taken",
    denominator="near_misses",
    higher_is_better=False,
    says="Share of the near misses which the answer takes for the clause.",
)


def slug(name: str) -> str:
    """Return a clause type as part of the names of metrics and counts: `attorneys_fees`."""
    return name.replace("'", "").replace("-", "_").replace(" ", "_")


def each(vocabulary: Sequence[str]) -> Scorer:
    """A scorer with one recall a clause type, and the rate of near misses taken for the clause.

    The case's `near_misses` lists the types asked about that its text comes near to.
    """
    recalls = [
        Metric(
            name=f"recall_of_{slug(name)}",
            scorer=FAMILY,
            numerator=f"found_{slug(name)}",
            denominator=f"there_{slug(name)}",
            says=f"Share of the texts with the clause '{name}' for which the answer names it.",
        )
        for name in vocabulary
    ]

    counted = [(name, f"there_{slug(name)}", f"found_{slug(name)}") for name in vocabulary]

    @scorer(metrics=[*recalls, NEAR_MISS], name=FAMILY, config=list(vocabulary))
    def each_clause(case: Case, completion: Completion) -> Score:
        """Each clause type found, among those that are there, and near misses taken for one."""
        named = clauses.found(case, completion).extracted
        near = [name for name in case.input.get("near_misses", "").split("; ") if name]
        taken = [name for name in near if name in named["invented"]]
        counts = {"near_misses": len(near), "taken": len(taken)}
        for name, there, found in counted:
            counts[there] = int(name in case.expected)
            counts[found] = int(name in named["found"])
        right = not named["missing"] and not taken
        return Score(name=FAMILY, value=float(right), extracted={"taken": taken}, counts=counts)

    return each_clause
