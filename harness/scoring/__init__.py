"""Score completions: general scorers here and in `grounding`, scorers of a domain in the packs.

A scorer is a pure function of a case and a completion. The packs are `legal`, `finance`, `policy` and `brand`; each
lists its scorer modules in its `__init__`, and nothing outside the packs imports one.
"""

from harness.scoring.base import scorer
from harness.scoring.grounding import citations, facts, figures, names, quotations, registry

__all__ = ["citations", "facts", "figures", "names", "quotations", "registry", "scorer"]
