"""Sign-off: a printed form that ties a person's decision to this very content."""

from __future__ import annotations

from reports import words
from reports.evidence import Evidence, overall
from reports.model import Cell, Section, Table

NOTE = "A signature supports the duty to keep dated and signed test reports. It replaces no legal review."


def section(evidence: Evidence) -> Section:
    run = evidence.run.manifest.run_id
    outcome = evidence.run.standing.says.rstrip(".") or words.outcome(overall(evidence.run.verdicts))
    rows = [[Cell(text=part), *[Cell(text="")] * 4] for part in ("Reviewed", "Approved")]
    columns = ["", "Name", "Role", "Date", "Signature"]
    caption = f"Decision on run {run}: {outcome}. Content: {evidence.seal}"
    return Section(
        id="signoff", title="Sign-off", blocks=[Table(caption=caption, columns=columns, rows=rows, note=NOTE)]
    )
