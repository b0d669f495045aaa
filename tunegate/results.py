"""Results of a run for scripts and notebooks: shown as tables, and its answers as a pandas DataFrame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import structs

from harness.errors import extra_needed_by
from harness.runs.folder import Results, stream
from harness.schema import combine_outcomes

if TYPE_CHECKING:
    import pandas as pd


class RunResults(Results, frozen=True, kw_only=True):
    """Results of an evaluation or a comparison: `path`, `manifest`, `metrics`, `verdicts` and `standing`.

    A notebook shows it as tables: the gates with their outcomes, and the metrics with their intervals.
    `metrics.level(suite, variant, metric)` is one number with `value`, `low` and `high`, and `metrics.comparison(suite,
    metric)` a paired change. `!tunegate report latest` writes the report of the newest run.
    """

    not_run: tuple[str, ...] = ()
    """Why each suite that did not run was left out; empty for a loaded run."""

    @classmethod
    def of(cls, results: Results, not_run: Sequence[str] = ()) -> RunResults:
        """Give results their views."""
        fields = {field.name: getattr(results, field.name) for field in structs.fields(Results)}
        return cls(**fields, not_run=tuple(not_run))

    @property
    def passed(self) -> bool:
        """Whether every gate of the suites that ran passed; without any gate, no. `not_run` names the others."""
        return combine_outcomes({verdict.outcome for verdict in self.verdicts}) == "pass"

    def __bool__(self) -> bool:
        raise TypeError("results are neither true nor false: ask for .passed")

    def to_pandas(self) -> pd.DataFrame:
        """Load the answers: one row per answer, in the order of the run, with the columns of `tunegate export`'s CSV.

        Texts are unchanged, and a metric is NaN where it was not scored.

        Raises:
            MissingExtra: pandas is not installed.
            UserError: The answers cannot be read.
        """
        with extra_needed_by("to_pandas", "pandas", "pandas"):
            import pandas as pd
        from reports.exports import records_csv

        suites = {suite.name: suite for suite in self.manifest.suites}
        tags, metrics = records_csv.columns(self.manifest)
        rows = [records_csv.values(suites[name], record, tags, metrics) for name, record in stream(self.path)]
        return pd.DataFrame(rows, columns=records_csv.heading(tags, metrics))

    def __repr__(self) -> str:
        outcomes = ", ".join(f"{verdict.gate} {verdict.outcome}" for verdict in self.verdicts)
        return f"RunResults({self.manifest.run_id}: {outcomes or 'no gates'})"

    def _repr_html_(self) -> str:
        from reports.render import notebook

        return notebook.render(self)
