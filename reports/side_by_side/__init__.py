"""Several runs on one page: a row per case, a column per run, paired differences against any of them."""

from reports.side_by_side.columns import open_columns
from reports.side_by_side.page import NAME, write

__all__ = ["NAME", "open_columns", "write"]
