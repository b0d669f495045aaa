"""Reports: one typed model built from run folders, and views that render it."""

from reports.assemble import build
from reports.model import ReportModel
from reports.write import named, publish, write

__all__ = ["ReportModel", "build", "named", "publish", "write"]
