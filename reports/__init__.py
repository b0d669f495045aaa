"""Reports: one typed model built from run folders, and views of it that compute nothing. Imports stay light."""

from reports.assemble import build
from reports.files import named, publish, write
from reports.model import ReportModel

__all__ = ["ReportModel", "build", "named", "publish", "write"]
