"""In place of matplotlib, for processes whose charts no test reads: drawing takes longer than their runs."""

raise ImportError("no charts")
