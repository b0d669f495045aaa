"""Where the numbers come from: code, engine, machine, data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.schema import BASELINE
from reports import figures, words
from reports.evidence import Evidence
from reports.model import Block, Cell, Facts, Section, Table
from reports.sections import compared


def section(evidence: Evidence) -> Section:
    manifest = evidence.run.manifest
    run = [
        ("Run", Cell(text=manifest.run_id, code=True)),
        ("Seal (SHA-256 of MANIFEST.sha256)", Cell(text=evidence.seal, code=True)),
        ("Started", Cell(text=figures.moment(manifest.started))),
        ("Ended", Cell(text=figures.moment(manifest.ended))),
        ("Code", Cell(text=_commit(manifest.git))),
        (
            "Sampling",
            Cell(text=", ".join(f"{k} {figures.exact(v)}" for k, v in manifest.sampling.items()) or figures.DASH),
        ),
        ("Prompts", Cell(text=_prompts(evidence))),
        ("Training run", Cell(text=manifest.parent_run_id or figures.DASH)),
    ]
    if manifest.redacted:
        counts = ", ".join(f"{kind} {figures.number(count)}" for kind, count in sorted(manifest.redacted.items()))
        run.append(("Places masked as secrets", Cell(text=counts)))
    packages = manifest.env.get("packages") or {}
    machine = {k: v for k, v in manifest.env.items() if k != "packages"}
    blocks: list[Block] = [Facts(caption="Run", pairs=run)]
    blocks.append(Facts(caption="Engine", pairs=_pairs(manifest.engine)))
    blocks.append(Facts(caption="Machine", pairs=_pairs(machine)))
    if packages:
        rows = [[Cell(text=name), Cell(text=str(packages[name]), code=True)] for name in sorted(packages)]
        blocks.append(Table(caption="Packages that decide results", columns=["Package", "Version"], rows=rows))
    blocks.append(_data(evidence))
    lead = "Enough to find the same code, weights, cases and machine again."
    return Section(id="provenance", title="Provenance", lead=lead, blocks=blocks)


def _data(evidence: Evidence) -> Table:
    rows = [
        [
            Cell(text=s.name),
            Cell(text=words.decoding(s.samples, s.temperature)),
            Cell(text=figures.number(len(s.left_out))),
            Cell(text=s.licence or "not stated"),
            Cell(text=s.hash, code=True),
        ]
        for s in evidence.suites
    ]
    columns = ["Suite", "Decoding", "Cases left out for length", "Licence", "Suite hash"]
    return Table(
        caption="Suites, how they were asked, and licences of their cases", columns=columns, rows=rows, numeric=[2]
    )


def _prompts(evidence: Evidence) -> str:
    if not any(compared.own_prompts(evidence, suite) for suite in evidence.suites):
        return figures.DASH if BASELINE not in evidence.variants else "identical token IDs for baseline and tuned"
    return "each model's own tokenizer and chat template: the token IDs of baseline and tuned differ"


def _commit(git: Mapping[str, str | bool | None]) -> str:
    if not git.get("commit"):
        return "not under version control"
    return f"commit {git['commit']}" + (", with uncommitted changes" if git.get("dirty") else ", clean")


def _pairs(found: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Cell]]:
    pairs: list[tuple[str, Cell]] = []
    for key, value in found.items():
        if isinstance(value, Mapping):
            pairs += _pairs(value, f"{prefix}{key} / ")
        else:
            pairs.append((words.title(f"{prefix}{key}"), figures.setting(value, key)))
    return pairs
