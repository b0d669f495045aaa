"""GitHub annotations of what stops a merge. Knows no run folder.

GitHub shows ten annotations of a kind a step, so that at most eight gates are named, and the rest counted.
"""

from __future__ import annotations

from harness.schema import Verdict
from reports import words
from reports.ci.export import Export, SuiteExport
from reports.ci.log import command

MOST = 8
"""Gates that get an annotation of their own."""


def lines(found: Export) -> list[str]:
    """Workflow commands: what moved, that the run is no evidence, then the gates that did not pass."""
    made = []
    if found.moved:
        more = f" And {words.number(len(found.moved) - 1)} more." if len(found.moved) > 1 else ""
        made.append(command("warning", "The bar moved", found.moved[0] + more))
    if found.status != "finished":
        made.append(command("error", "No verdict", " ".join(found.notes) or f"The run is {found.status}."))
    named = [_gate(suite, v) for suite in found.suites for v in suite.verdicts if v.outcome != "pass"][:MOST]
    rest = sum(suite.unmet for suite in found.suites) - len(named)
    if rest > 0:
        said = f"{words.count(rest, 'more gate')} did not pass"
        named.append(command("error", said, "The step summary and the JUnit report name every gate."))
    return made + named


def _gate(suite: SuiteExport, verdict: Verdict) -> str:
    seen = words.sized(verdict.observed, words.unit_of(verdict), suite.cluster)
    parts = [f"{words.outcome(verdict.outcome)}: {seen}.", verdict.reason, words.needs(verdict.needed)]
    kind = "warning" if verdict.outcome == "skipped" else "error"
    return command(kind, f"{suite.name}: {words.gate(verdict, suite.shape)}", " ".join(filter(None, parts)))
