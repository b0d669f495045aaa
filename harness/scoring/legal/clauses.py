"""Score a list of clause types against the types that a text has.

A name outside the vocabulary is a false positive, never dropped. An answer with "none" and a name is read as the name,
so that hedging does not pay. An answer that is empty, cut at the token limit, failed, a refusal or too wordy to be a
list counts as one false positive with every gold type missed, so that garbage scores no better than a wrong answer. A
question about a closed list always has an answer, so a refusal is never a right "none".

`by_type` scores each clause type alone, its paragraph, and the near misses. An unreadable answer names none of these:
precision and the parse rate count it as wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from msgspec.structs import replace

from harness.schema import Case, Completion, Metric, Score, Span
from harness.scoring.base import Scorer, make_span, ratios, scorer
from harness.scoring.labels import label_table
from harness.scoring.legal.clause_list_parser import ClauseListReading, Named, read, set_counts
from harness.scoring.legal.clause_names import key

UNREADABLE = "(unreadable)"
"""Listed as a predicted and invented name if the answer could not be read."""

METRICS = [
    *ratios(
        "clauses",
        {
            "clause_recall = tp / gold": "Share of the clauses in the text that the answer names.",
            "clause_precision = tp / predicted": "Share of the clauses named that are in the text.",
            "clause_micro_f1 = f1_top / f1_bottom": "Balance of recall and precision over all clauses together.",
        },
    ),
    Metric(
        name="clause_macro_f1",
        scorer="clauses",
        numerator="",
        kind="macro_f1",
        says="Balance of recall and precision for each clause type, then the mean over types.",
    ),
    *ratios(
        "clauses",
        {"clause_exact_set = exact": "Share of answers that name exactly the clauses in the text."},
        fewer={
            "abstention_rate = abstained / positives": "Share of the texts with a clause for which the model said "
            "there is none.",
            "false_alarm_rate = false_alarm / empty_gold": "Share of the texts without a clause for which the model "
            "named one.",
        },
    ),
    *ratios("clauses", {"parse_rate = parsed": "Share of answers that could be read as a list of clauses."}),
]


def among(vocabulary: Sequence[str], aliases: Mapping[str, str] | None = None) -> Scorer:
    """Make a scorer of clause lists with the names of `vocabulary`; `aliases` maps other spellings to them."""
    table = label_table(vocabulary, aliases or {}, key, "clause type")

    def unknown(case: Case) -> list[str]:
        return [_unknown(case, name, vocabulary) for name in case.expected if key(name) not in table]

    # A mean over types leaves out those that no case expects or names.
    metrics = [replace(m, labels=tuple(vocabulary)) if m.kind == "macro_f1" else m for m in METRICS]

    @scorer(metrics=metrics, name="clauses", config=sorted(table.items()), check=unknown)
    def named(case: Case, completion: Completion) -> Score:
        """Compare the clause types named with those in the text."""
        return _score(case, completion, table)

    return named


def _unknown(case: Case, name: str, vocabulary: Sequence[str]) -> str:
    return f"case '{case.id}' expects {name!r}, which is not in the list: {'; '.join(vocabulary)}"


def _unlisted(case: Case) -> list[str]:
    """Problems of expected types outside the case's own list, if it has one."""
    listed = _listed(case.input.get("clause_types", ""))
    known = {key(name) for name in listed}
    return [_unknown(case, name, listed) for name in case.expected if listed and key(name) not in known]


def listed(aliases: Mapping[str, str] | None = None) -> Scorer:
    """Make a scorer with the names of the case's `clause_types`; `aliases` maps other spellings to them."""
    others = tuple((aliases or {}).items())

    @scorer(metrics=METRICS, name="clauses", config=sorted(others), check=_unlisted)
    def found(case: Case, completion: Completion) -> Score:
        """Compare the clause types named with those in the text; valid names are the case's `clause_types`."""
        return _score(case, completion, _case_table(case.input.get("clause_types", ""), tuple(case.expected), others))

    return found


@lru_cache(maxsize=256)
def _case_table(names: str, gold: tuple[str, ...], aliases: tuple[tuple[str, str], ...]) -> dict[str, str]:
    table = {key(name): name for name in [*_listed(names), *gold]}
    return {key(other): name for other, name in aliases if key(name) in table} | table


found = listed()


def _listed(names: str) -> list[str]:
    return [name.strip() for name in names.split(";") if name.strip()]


def _score(case: Case, completion: Completion, table: Mapping[str, str]) -> Score:
    gold = sorted({table.get(key(name), name) for name in case.expected})
    copied = case.document.strip()
    text = completion.text.replace(copied, " " * len(copied))
    asked = [table.get(key(name), name) for name in _listed(case.input.get("clause_types", ""))]
    reading = read(replace(completion, text=text), table, asked)
    first: dict[str, Named] = {}
    for named in reading.named:
        first.setdefault(named.label, named)
    predicted = [UNREADABLE] if reading.unreadable else list(first)
    hits = [label for label in predicted if label in gold]
    missing = [label for label in gold if label not in first]
    invented = [label for label in predicted if label not in gold]
    exact = not invented and not missing
    counts = set_counts(len(hits), len(invented), len(missing), not reading.unreadable, bool(reading.named))
    return Score(
        name="clauses",
        value=float(exact),
        extracted={"predicted": predicted, "found": hits, "missing": missing, "invented": invented},
        counts={**counts, "exact": int(exact)},
        spans=_spans(completion.text, reading, first, gold),
    )


def _spans(text: str, reading: ClauseListReading, first: Mapping[str, Named], gold: Sequence[str]) -> list[Span]:
    if reading.unreadable:
        return [make_span(text, 0, len(text), "clause", "unreadable", reading.unreadable)] if text else []
    spans = []
    for start, end, label, known in first.values():
        why = f"'{label}' is not in this text" if known else "not one of the clause types asked about"
        verdict, reason = ("found", "") if label in gold else ("invented", why)
        spans.append(make_span(text, start, end, "clause", verdict, reason))
    return spans


NEAR_MISS = {"near_miss_rate = taken / near_misses": "Share of the near misses which the answer takes for the clause."}
PLACED = {
    "placed_rate = placed / named": "Share of the clauses found for which the answer gives paragraphs that have the "
    "clause, and no other."
}
PARAGRAPHS = re.compile(r"[\s*_\"']*[(\[][^)\]\n]*\d[^)\]\n]*[)\]]|[^;\n]*")
"""Brackets with numbers after a name, or all that follows it; the next one ends it too."""


def slug(name: str) -> str:
    """Return a clause type as part of the names of metrics and counts: `attorneys_fees`."""
    return name.replace("'", "").replace("-", "_").replace(" ", "_")


def by_type(vocabulary: Sequence[str], with_places: bool = False, aliases: Mapping[str, str] | None = None) -> Scorer:
    """Make a scorer with one recall a clause type, and the rate of near misses taken for the clause.

    The case's `near_misses` lists the types asked about that its text comes near to. `with_places` adds the share of
    the clauses found whose paragraphs are right; the case's `places` has them, as in `repair (9, 11); insurance (7)`.
    Clauses are found as by `listed(aliases)`.
    """
    recalls = {
        f"recall_of_{slug(name)} = found_{slug(name)} / there_{slug(name)}": f"Share of the texts with the clause "
        f"'{name}' for which the answer names it."
        for name in vocabulary
    }
    metrics = [*ratios("each_clause", recalls, NEAR_MISS), *ratios("each_clause", PLACED if with_places else {})]
    counted = [(name, f"there_{slug(name)}", f"found_{slug(name)}") for name in vocabulary]

    named_in = listed(aliases)

    @scorer(metrics=metrics, name="each_clause", config=[*vocabulary, with_places, named_in.config])
    def each_clause(case: Case, completion: Completion) -> Score:
        """Each clause type found, among those that are there, near misses taken for one, and right paragraphs."""
        score = named_in(case, completion)
        named = score.extracted
        near = [name for name in case.input.get("near_misses", "").split("; ") if name]
        taken = [name for name in near if name in named["invented"]]
        misplaced = _misplaced(case, completion.text, score) if with_places else []
        counts = {"near_misses": len(near), "taken": len(taken)}
        if with_places:
            counts |= {"named": len(named["found"]), "placed": len(named["found"]) - len(misplaced)}
        for name, there, hit in counted:
            counts[there] = int(name in case.expected)
            counts[hit] = int(name in named["found"])
        right = not named["missing"] and not taken and not misplaced
        extracted = {"taken": taken, "misplaced": misplaced} if with_places else {"taken": taken}
        return Score(name="each_clause", value=float(right), extracted=extracted, counts=counts)

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
        stop = min((other.start for other in score.spans if other.start > span.start), default=len(text))
        after = PARAGRAPHS.match(text, span.end, stop)
        given = set(re.findall(r"\d+", after[0])) if after else set()
        if not given or not given <= right[name]:
            wrong.append(name)
    return wrong
