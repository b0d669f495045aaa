"""Makes an export of a run folder. Reads the run's validated files; computes no estimate."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from msgspec import structs

from harness.errors import UserError
from harness.gates.config import suites_with_bars
from harness.runs.folder import find_run, load_run
from harness.schema import FLOOR, Manifest, SuiteInfo
from reports import number_format
from reports.assemble import gather
from reports.ci.export import MOST_IDS, MOST_LINES, MOST_VERDICTS, Export, Status, SuiteExport
from reports.model import Section
from reports.run_data import RunView
from reports.sections import results, slices
from reports.sections.verdict import cautions, sentence

NO_RUN = Export(run_id="", status="none", notes=["No run was made: see the log of the step that should have made it."])
LEFT_OUT = "It has bars and was not judged: removed, renamed, without its data, or marked long."
LONGEST = 1000
"""Code points of a line of an export."""


def locate(text: str, root: Path) -> Path | None:
    """The run that `text` names: its folder, a folder that holds this one run, or its name below `root`.

    None where a folder holds no run, as after a usage error; several runs in it are a UserError.
    """
    folder = Path(text)
    if folder.is_dir() and not (folder / "run.json").exists():
        inside = sorted(path.parent for path in folder.glob("*/run.json"))
        if len(inside) > 1:
            raise UserError(f"{folder}: holds {len(inside)} runs. Name one: {', '.join(p.name for p in inside[:5])}")
        return inside[0] if inside else None
    return find_run(text, root)


def evidence(path: Path) -> RunView:
    """An evaluation run with its seal checked; a run of another kind is a UserError."""
    found = gather(load_run(path), None)
    if found.run.manifest.kind != "eval":
        raise UserError(f"{path}: is a {found.run.manifest.kind} run, which has no gates. Name an evaluation run")
    return found


def export(found: RunView | None, bars: Path | None = None, changed: Path | None = None) -> Export:
    """What a comment needs to know of a run; of no run, that there is none.

    A suite that `bars`, the copy of evalsuites that decides, has bars for is there even where it was not asked.
    `changed` lists, one a line, files that guard the gate and that the change edits: they count among what moved.
    """
    guards = _lines(changed) if changed else []
    moved = [f"{name} is edited by this change, and guards the gate itself" for name in guards]
    made = NO_RUN if found is None else _export(found)
    made = structs.replace(made, moved=_capped([*moved, *made.moved], "more differences"))
    asked = {suite.name for suite in made.suites}
    left_out = [cut(name) for name in (suites_with_bars(bars) if bars else []) if name not in asked]
    missing = [SuiteExport(name=n, shape="", cluster="", sentence=LEFT_OUT, counts={}) for n in left_out]
    return structs.replace(made, suites=[*made.suites, *missing])


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8", errors="replace").splitlines()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}). Leave out --changed where there is none") from None


def _export(found: RunView) -> Export:
    manifest = found.run.manifest
    commit = manifest.git.get("commit")
    return Export(
        run_id=cut(manifest.run_id),
        status=_status(found),
        commit=commit if isinstance(commit, str) else "",
        checkpoints=_checkpoints(manifest),
        moved=manifest.moved,
        notes=_capped(cautions(found), "more notes"),
        suites=[_suite(found, suite) for suite in manifest.suites],
    )


def sections(found: RunView | None) -> list[Section]:
    """The report's tables of numbers; sections that hold text of models or documents are not among them."""
    return [made for made in (results.section(found), slices.section(found)) if made] if found else []


def cut(text: str, most: int = LONGEST) -> str:
    """At most so many code points, with an ellipsis where some are left out."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _status(found: RunView) -> Status:
    word = found.run.standing.word
    return "changed" if word == "not sealed" else word


def _checkpoints(manifest: Manifest) -> dict[str, str]:
    named = {v: c for v, c in manifest.checkpoints.items() if v != FLOOR}
    return {cut(v): cut(f"{c.name} ({number_format.short(c.digest)})") for v, c in list(named.items())[:20]}


def _capped(texts: list[str], what: str) -> list[str]:
    kept = [cut(text) for text in texts[: MOST_LINES - 1]]
    return [*kept, f"{number_format.number(len(texts) - len(kept))} {what}"] if len(kept) < len(texts) else kept


def _suite(found: RunView, suite: SuiteInfo) -> SuiteExport:
    verdicts = found.verdicts(suite.name)
    return SuiteExport(
        name=cut(suite.name),
        shape=cut(suite.shape),
        cluster=cut(suite.cluster),
        sentence=cut(sentence(found, suite)),
        counts=dict(Counter(verdict.outcome for verdict in verdicts)),
        verdicts=verdicts[:MOST_VERDICTS],
        worse=[cut(case_id) for case_id in found.index.worst(suite.name, MOST_IDS)],
        worse_total=found.joint(suite.name).worse,
    )
