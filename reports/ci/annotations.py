"""GitHub annotations of what stops a merge. Knows no run folder.

GitHub shows ten annotations of a kind a step, so that at most eight gates are named, and the rest counted.
"""

from __future__ import annotations

from harness.schema import Verdict
from reports import number_format, wording
from reports.ci.export import Export, SuiteExport, command

MOST = 8
"""Gates that get an annotation of their own."""


def lines(found: Export) -> list[str]:
    """Workflow commands: what moved, that the run is no evidence, then the gates that did not pass."""
    made = []
    if found.moved:
        more = f" And {number_format.number(len(found.moved) - 1)} more." if len(found.moved) > 1 else ""
        made.append(command("warning", "The bar moved", found.moved[0] + more))
    if found.status != "finished":
        made.append(command("error", "No verdict", " ".join(found.notes) or f"The run is {found.status}."))
    idle = [suite for suite in found.suites if not suite.gates and found.status == "finished"]
    named = [command("error", f"{suite.name}: not judged", suite.sentence) for suite in idle]
    named += [
        _gate(suite, verdict) for suite in found.suites for verdict in suite.verdicts if verdict.outcome != "pass"
    ]
    rest = len(idle) + sum(suite.unmet for suite in found.suites) - len(named[:MOST])
    if rest > 0:
        said = f"{number_format.number(rest)} more did not pass"
        named[MOST:] = [command("error", said, "The step summary and the JUnit report name every gate.")]
    return made + named


def _gate(suite: SuiteExport, verdict: Verdict) -> str:
    seen = number_format.sized(verdict.observed, number_format.unit_of(verdict), suite.cluster)
    parts = [f"{wording.outcome(verdict.outcome)}: {seen}.", verdict.reason, wording.needs(verdict.needed)]
    kind = "warning" if verdict.outcome == "skipped" else "error"
    return command(kind, f"{suite.name}: {wording.gate(verdict, suite.shape)}", " ".join(filter(None, parts)))
