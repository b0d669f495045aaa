"""The small-sample guards: where too few clusters tell the spread of a number, they widen its bounds.

A standard error from few clusters is unreliable, and 0 where none of them differs, which proves nothing.
"""

from typing import NamedTuple


class Guard(NamedTuple):
    """One guard. It applies with fewer than `fewest` clusters, and `method` of the estimate then ends with its name."""

    name: str
    fewest: int


FEW_ERRORS = Guard("few-errors guard", 10)
"""Clusters that hold an error, or a success. The interval is then Wilson's with no more cases than clusters."""
FEW_ERRORS_OF_SCORES = Guard("few-errors guard", 20)
"""Clusters that carry what real scores lack, or have. The score interval then has no more cases than clusters."""
FEW_EVENTS = Guard("few-events guard", 10)
"""Clusters that carry the events of one variant. A ratio is then no tighter than MOVER-R over both guarded rates."""
FEW_CHANGES = Guard("few-changes guard", 5)
"""Clusters that carry gains, or losses. A difference is then as wide as if clusters moved as a whole."""
FEW_CHANGES_OF_RATIO = Guard("few-changes guard", 10)
"""Clusters that carry the change of a ratio. It is then no tighter than the interval of the difference."""
FEW_FLIPS = Guard("few-flips guard", 20)
"""Clusters that changed. 'No worse' is then bounded by the exact bound of the share of clusters that got worse."""
FEW_DISAGREEMENTS = Guard("few-disagreements guard", 10)
"""Clusters that hold a disagreement. A coefficient is then no tighter than the share of disagreements has it."""

FEW_APART = 10
"""Fewer clusters than this that stand out from the others leave the spread of real scores unknown too."""
