"""Sections: where the numbers come from (code, engine, machine, data), and sign-off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.runs.status import no_merge
from reports import number_format, wording
from reports.model import Block, Cell, Facts, Section, Table
from reports.run_data import RunView, overall


def section(evidence: RunView) -> Section:
    manifest = evidence.run.manifest
    trained = evidence.training.manifest.run_id if evidence.training else manifest.parent_run_id
    run = [
        ("Run", Cell(text=manifest.run_id, code=True)),
        ("Seal (SHA-256 of MANIFEST.sha256)", Cell(text=evidence.seal, code=True)),
        ("Started", Cell(text=number_format.moment(manifest.started))),
        ("Ended", Cell(text=number_format.moment(manifest.ended))),
        ("Code", Cell(text=_commit(manifest.git))),
        ("Sampling", Cell(text=", ".join(f"{k} {number_format.exact(v)}" for k, v in manifest.sampling.items()))),
        ("Training run", Cell(text=trained or "")),
    ]
    run = [(name, cell) for name, cell in run if cell.text not in ("", number_format.DASH)]
    if manifest.redacted:
        counts = ", ".join(f"{kind} {number_format.number(count)}" for kind, count in sorted(manifest.redacted.items()))
        run.append(("Masked secrets", Cell(text=counts)))
    packages = manifest.env.get("packages") or {}
    machine = {k: v for k, v in manifest.env.items() if k != "packages"}
    blocks: list[Block] = [Facts(caption="Run", pairs=run)]
    blocks.append(Facts(caption="Engine", pairs=_pairs(manifest.engine), folded=True))
    blocks.append(Facts(caption="Machine", pairs=_pairs(machine), folded=True))
    if packages:
        rows = [[Cell(text=name), Cell(text=str(packages[name]), code=True)] for name in sorted(packages)]
        blocks.append(
            Table(caption="Packages that affect results", columns=["Package", "Version"], rows=rows, folded=True)
        )
    blocks += [_data(evidence), _digests(evidence)]
    lead = "What identifies the code, weights, cases and machine of this run."
    return Section(id="provenance", title="Provenance", lead=lead, blocks=blocks)


def _data(evidence: RunView) -> Table:
    rows = [
        [
            Cell(text=s.name),
            Cell(text=wording.decoding(s.samples, s.temperature)),
            Cell(text=number_format.number(len(s.left_out))),
            Cell(text=s.licence or "not stated"),
        ]
        for s in evidence.suites
    ]
    columns = ["Suite", "Decoding", "Cases left out for length", "Licence"]
    return Table(
        caption="Suites, their decoding and the licences of their cases", columns=columns, rows=rows, numeric=[2]
    )


def _digests(evidence: RunView) -> Table:
    rows = [
        [
            Cell(text=s.name),
            *(
                Cell(text=number_format.short(digest), code=True)
                for digest in (s.cases_hash, s.prompt_hash, s.gates_hash, s.scorers_hash, s.hash)
            ),
        ]
        for s in evidence.suites
    ]
    columns = ["Suite", "Cases", "Prompt", "Gates", "Scorers", "All"]
    return Table(caption="Digests of the suites", columns=columns, rows=rows, folded=True)


def _commit(git: Mapping[str, str | bool | None]) -> str:
    if not git.get("commit"):
        return "no commit yet" if git else "not under version control"
    return f"commit {git['commit']}" + (", with uncommitted changes" if git.get("dirty") else ", clean")


def _pairs(record: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Cell]]:
    pairs: list[tuple[str, Cell]] = []
    for key, value in record.items():
        if isinstance(value, Mapping):
            pairs += _pairs(value, f"{prefix}{NAMES.get(key, key)}, ")
        else:
            pairs.append((wording.title(f"{prefix}{NAMES.get(key, key)}"), number_format.setting(value, key)))
    return pairs


NAMES = {
    "wall_s": "wall time",
    "load_s": "loading time",
    "answer_s": "answering time",
    "timeout_s": "timeout",
    "patience_s": "patience",
    "prompt_tokens_per_s": "prompt tokens per second",
    "generated_tokens_per_s": "generated tokens per second",
    "ways": "weights",
    "truncated": "answers cut off",
}
"""Words for the settings of an engine whose names are not words."""
NOTE = (
    "Content is the digest of the run's sealed files: a change in any of them changes it. A signature "
    "supports the duty to keep dated and signed test reports. It does not replace legal review."
)


def signoff_section(evidence: RunView) -> Section:
    run = evidence.run.manifest.run_id
    approves_none = no_merge(evidence.run.manifest, evidence.run.path.name)
    outcome = evidence.run.standing.says.rstrip(".") or wording.outcome(overall(evidence.run.verdicts), approves_none)
    rows = [[Cell(text=part), *[Cell(text="")] * 4] for part in ("Reviewed", "Approved")]
    columns = ["", "Name", "Role", "Date", "Signature"]
    changed = " The gates changed: see the verdict." if evidence.run.manifest.moved else ""
    caption = f"Decision on run {run}: {outcome}.{changed} Content: {evidence.seal}"
    return Section(
        id="signoff", title="Sign-off", blocks=[Table(caption=caption, columns=columns, rows=rows, note=NOTE)]
    )
