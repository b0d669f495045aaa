"""Post the verdict of a run to a webhook of Slack, or of another service that takes Slack's JSON."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import msgspec

from harness.errors import UserError
from harness.files import file_link
from harness.gates.sentences import gate_in_words
from harness.runs.folder import Results
from harness.sanitize import shown
from harness.schema import BASELINE, CANDIDATE
from reports import wording
from reports.assemble import view_of
from reports.cases.pages import REPORT
from reports.ci.github import page_of_run
from reports.run_data import overall, unmet_first
from reports.sections.verdict import warnings

ANSWER_S = 10
"""Seconds to wait for the service."""
LONGEST = 500
"""Most characters of a remark or warning."""
NAMED = 5
"""Most gates named of those that did not pass."""


def checked(url: str) -> str:
    """Return the address. Raises UserError, without the address, where it is none of a web server."""
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise UserError("--notify or TUNEGATE_NOTIFY: not an address. Expected https://...")
    return url


def text(results: Results, link: str, remarks: Sequence[str] = ()) -> str:
    """Say in a few lines, without text of a model or document, how the run ended, with remarks and warnings."""
    outcome = overall(results.verdicts)
    counted = wording.outcomes(Counter(verdict.outcome for verdict in results.verdicts)) or "no gate was judged"
    models = [results.manifest.checkpoints[v].name for v in (CANDIDATE, BASELINE) if v in results.manifest.checkpoints]
    warned = warnings(view_of(results), not results.is_large, with_quotes=False)
    unmet = [verdict for verdict in unmet_first(results.verdicts) if verdict.outcome not in ("pass", "skipped")]
    lines = [
        f"*{wording.outcome(outcome)}*: {counted}",
        _plain(" compared with ".join(models)),
        *(_plain(wording.shortened(said, LONGEST)) for said in [*remarks, *warned]),
        *(_plain(f"{wording.outcome(v.outcome)}: {v.suite} {gate_in_words(v)}") for v in unmet[:NAMED]),
        *([f"and {wording.count(len(unmet) - NAMED, 'more gate')}"] if len(unmet) > NAMED else []),
        f"<{link}|{_plain(results.manifest.run_id)}>",
    ]
    return "\n".join(lines)


def link_of(results: Results) -> str:
    """Return the address of the CI job that has the report, or that of the report on this machine."""
    if job := os.environ.get("CI_JOB_URL"):
        return job
    return page_of_run(os.environ) or file_link(results.path / "report" / REPORT)


def send(results: Results, url: str, remarks: Sequence[str] = ()) -> str | None:
    """Post the notice once; return why it was not taken, in words without the address."""
    body = msgspec.json.encode({"text": text(results, link_of(results), remarks)})
    try:
        request = Request(checked(url), body, {"Content-Type": "application/json", "User-Agent": "tunegate"})
        with urlopen(request, timeout=ANSWER_S):
            return None
    except HTTPError as error:
        return f"{urlsplit(url).hostname} answered {error.code}"
    except (OSError, ValueError, HTTPException) as error:
        return f"{urlsplit(url).hostname} did not answer ({type(error).__name__})"


def _plain(foreign: str) -> str:
    """Show hidden characters, and escape what Slack interprets."""
    return shown(foreign).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
