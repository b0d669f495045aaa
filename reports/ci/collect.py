"""Collect the CI export of a run folder."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from msgspec import structs

from harness.errors import UserError
from harness.gates.config import suites_with_bars
from harness.runs.folder import load_run
from harness.runs.project import find_run
from harness.runs.status import no_merge
from harness.schema import FLOOR, Manifest, SuiteInfo, Verdict
from reports import number_format, wording
from reports.assemble import gather
from reports.ci.export import MOST_IDS, MOST_LINES, MOST_VERDICTS, Export, Status, SuiteExport
from reports.model import Section
from reports.run_data import RunView
from reports.sections import results, slices
from reports.sections.verdict import cautions, sentence

NO_RUN = Export(run_id="", status="none", notes=["There is no run: see the log of the evaluation step."])
LEFT_OUT = "It has gates and was not judged: removed, renamed, deselected, without its data, or marked long."
NOT_RUN = "It has gates and was not judged, because there is no run."
LONGEST = 1000
"""Most code points in a line of an export."""


def locate(text: str, root: Path) -> Path | None:
    """Find the run that `text` names: its folder, a folder with exactly one run, or its name below `root`.

    Returns None where a folder has no run, as after a usage error. Raises UserError where it has several.
    """
    folder = Path(text)
    if folder.is_dir() and not (folder / "run.json").exists():
        inside = sorted(path.parent for path in folder.glob("*/run.json"))
        if len(inside) > 1:
            raise UserError(f"{folder}: contains {len(inside)} runs. Name one: {', '.join(p.name for p in inside[:5])}")
        return inside[0] if inside else None
    return find_run(text, root)


def evidence(path: Path) -> RunView:
    """Load an evaluation run and check its seal. Raises UserError for a run of another kind."""
    view = gather(load_run(path))
    if view.run.manifest.kind != "eval":
        raise UserError(f"{path}: is a {view.run.manifest.kind} run, which has no gates. Name an evaluation run")
    return view


def export(view: RunView | None, bars: Path | None = None, changed: Path | None = None) -> Export:
    """Collect what a comment needs of a run, or that there is none.

    A suite with gates in `bars`, the copy of evalsuites that decides, is included even where it was not run. `changed`
    lists, one per line, files that guard the gate and that the change edits: they are reported as changes of the gates.
    Raises UserError where `changed` cannot be read.
    """
    guards = _lines(changed) if changed else []
    moved = [f"{name} guards the gate, and this change edits it" for name in guards]
    exported = NO_RUN if view is None else _export(view)
    exported = structs.replace(exported, moved=_capped([*moved, *exported.moved], "more differences"))
    suite_names = {suite.name for suite in exported.suites}
    left_out = [cut(name) for name in (suites_with_bars(bars) if bars else []) if name not in suite_names]
    why = NOT_RUN if view is None else LEFT_OUT
    missing = [SuiteExport(name=name, shape="", cluster="", sentence=why, counts={}) for name in left_out]
    return structs.replace(exported, suites=[*exported.suites, *missing])


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8", errors="replace").splitlines()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}). Leave out --changed where there is none") from None


def _export(view: RunView) -> Export:
    manifest = view.run.manifest
    commit = manifest.git.get("commit")
    return Export(
        run_id=cut(manifest.run_id),
        status=_status(view),
        commit=commit if isinstance(commit, str) else "",
        checkpoints=_checkpoints(manifest),
        moved=manifest.moved,
        notes=_capped(cautions(view, with_quotes=False), "more notes"),
        no_merge=cut(no_merge(manifest, view.run.path.name)),
        suites=[_suite(view, suite) for suite in view.suites],
    )


def sections(view: RunView | None) -> list[Section]:
    """Return the report's tables of numbers, without the sections that show text of models or documents."""
    return [section for section in (results.section(view), slices.section(view)) if section] if view else []


def cut(text: str) -> str:
    """Truncate a line of an export."""
    return wording.shortened(text, LONGEST)


def _status(view: RunView) -> Status:
    word = view.run.standing.word
    return "changed" if word == "not sealed" else word


def _checkpoints(manifest: Manifest) -> dict[str, str]:
    named = {v: c for v, c in manifest.checkpoints.items() if v != FLOOR}
    return {cut(v): cut(f"{c.name} ({number_format.short(c.digest)})") for v, c in list(named.items())[:20]}


def _capped(texts: list[str], what: str) -> list[str]:
    shown = [cut(text) for text in texts[: MOST_LINES - 1]]
    return [*shown, f"{number_format.number(len(texts) - len(shown))} {what}"] if len(shown) < len(texts) else shown


def _suite(view: RunView, suite: SuiteInfo) -> SuiteExport:
    verdicts = view.verdicts(suite.name)
    listed = verdicts[:MOST_VERDICTS]
    changes = {cut(verdict.gate): _change(view, suite, verdict) for verdict in listed}
    return SuiteExport(
        name=cut(suite.name),
        shape=cut(suite.shape),
        cluster=cut(suite.cluster),
        sentence=cut(sentence(view, suite)),
        counts=dict(Counter(verdict.outcome for verdict in verdicts)),
        verdicts=listed,
        changes={gate: change for gate, change in changes.items() if change},
        worse=[cut(case_id) for case_id in view.index.worst(suite.name, MOST_IDS)],
        worse_total=view.joint(suite.name).worse,
    )


def _change(view: RunView, suite: SuiteInfo, verdict: Verdict) -> str:
    """Say how much a gate's metric changed against the baseline; empty without one."""
    found = view.comparison(suite.name, verdict.metric, verdict.slice, verdict.slice_value)
    metrics = [metric for metric in suite.metrics if metric.name == verdict.metric]
    if not metrics or found is None or found.difference.value is None:
        return ""
    return number_format.value(found.difference, view.unit_of_change(suite.name, metrics[0]))
