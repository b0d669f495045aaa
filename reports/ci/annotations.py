"""GitHub annotations for the gates that stop a merge.

GitHub shows ten annotations of a kind per step, so at most eight gates are named and the rest is counted.
"""

from __future__ import annotations

from harness.sanitize import shown
from harness.schema import Verdict
from reports import number_format, wording
from reports.ci.export import Export, SuiteExport

MOST = 8
"""Most gates with an annotation of their own."""


def data(text: str) -> str:
    """Escape a message as GitHub's toolkit does."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def attribute(text: str) -> str:
    """Escape the value of a property as GitHub's toolkit does."""
    return data(text).replace(":", "%3A").replace(",", "%2C")


def command(kind: str, title: str, message: str) -> str:
    """Format an annotation as one line; hidden characters are shown by name."""
    return f"::{kind} title={attribute(shown(title))}::{data(shown(message))}"


def lines(export: Export) -> list[str]:
    """Return workflow commands: changed gates, why the run claims no verdict, then the gates that did not pass."""
    annotations = []
    if export.moved:
        more = f" And {number_format.number(len(export.moved) - 1)} more." if len(export.moved) > 1 else ""
        annotations.append(command("warning", "The gates changed", export.moved[0] + more))
    if export.status != "finished":
        annotations.append(command("error", "No verdict", " ".join(export.notes) or f"The run is {export.status}."))
    elif export.no_merge and export.outcome == "pass":
        annotations.append(
            command("warning", "PASS, no merge", f"No policy lets this run approve a merge: it {export.no_merge}")
        )
    idle = [suite for suite in export.suites if not suite.gates and export.status == "finished"]
    named = [command("error", f"{suite.name}: not judged", suite.sentence) for suite in idle]
    named += [
        _gate(suite, verdict) for suite in export.suites for verdict in suite.verdicts if verdict.outcome != "pass"
    ]
    rest = len(idle) + sum(suite.unmet for suite in export.suites) - len(named[:MOST])
    if rest > 0:
        text = f"{number_format.number(rest)} more did not pass"
        named[MOST:] = [command("error", text, "The step summary and the JUnit report name every gate.")]
    return annotations + named


def _gate(suite: SuiteExport, verdict: Verdict) -> str:
    kind = "warning" if verdict.outcome == "skipped" else "error"
    title = f"{suite.name}: {wording.metric_and_slice(verdict, suite.shape)}"
    return command(kind, title, f"{wording.outcome(verdict.outcome)}: {wording.finding(verdict)}")
