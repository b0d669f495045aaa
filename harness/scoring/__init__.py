"""Score completions: general scorers here and in `grounding`, scorers of a domain in the packs.

A scorer is a pure function of a case and a completion. The packs are `legal`, `finance`, `policy` and `brand`; each
lists its scorer modules in its `__init__`, and nothing outside the packs imports one.
"""

from harness.scoring import (
    base,
    cited_evidence,
    entailment,
    evaluate_bridge,
    json_answer,
    labels,
    multiple_choice,
    numeric,
    short_answer,
    summaries,
)
from harness.scoring.base import scorer
from harness.scoring.grounding import citations, facts, figures, names, quotations, registry

__all__ = [
    "base",
    "citations",
    "cited_evidence",
    "entailment",
    "evaluate_bridge",
    "facts",
    "figures",
    "json_answer",
    "labels",
    "multiple_choice",
    "names",
    "numeric",
    "quotations",
    "registry",
    "scorer",
    "short_answer",
    "summaries",
]
