"""Run folders of the sample on disk, and a way to write others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.runs.folder import RunData, RunFolder, load_run
from harness.schema import Metrics
from reports.model import Cell, Facts, ReportModel, Section, Table
from reports.render import markdown
from tests.support.sample import SUITE, make_manifest, make_metrics, make_records, make_training, make_verdicts
from tests.support.visits import visit  # noqa: F401 - a fixture

Writer = Callable[..., Path]


def writer(root: Path) -> Writer:
    """Writes run folders below `root`: `write(manifest=..., records=..., metrics=..., verdicts=..., train_log=...)`."""

    def write(**parts: Any) -> Path:
        manifest = parts.get("manifest", make_manifest())
        folder = RunFolder(root / f"{manifest.kind}-{len(list(root.iterdir()))}")
        folder.path.mkdir()
        folder.write_manifest(manifest)
        folder.append_records(SUITE, parts.get("records", make_records()))
        folder.write_metrics(parts.get("metrics", make_metrics()))
        folder.write_verdicts(parts.get("verdicts", make_verdicts()))
        for row in parts.get("train_log", []):
            folder.append_log(row)
        folder.seal()
        return folder.path

    return write


def as_markdown(section: Section) -> str:
    """A section as report.md has it, for a snapshot."""
    model = ReportModel(title="t", run_id="r", seal="s", outcome="skipped", sections=[section])
    return markdown.render(model).split("\n## ", 1)[1].rpartition("\n---\n")[0]


def part(model: ReportModel, name: str) -> Section:
    """The section of a report with this ID."""
    return next(section for section in model.sections if section.id == name)


def table(section: Section, caption: str = "") -> Table:
    """The first table whose caption begins so."""
    return next(b for b in section.blocks if isinstance(b, Table) and b.caption.startswith(caption))


def facts(section: Section, caption: str = "") -> dict[str, Cell]:
    """The first list of facts whose caption begins so."""
    return dict(next(b for b in section.blocks if isinstance(b, Facts) and b.caption.startswith(caption)).pairs)


def all_text(part: ReportModel | Section) -> str:
    """All that a report or a section says, as JSON."""
    return json.dumps(msgspec.to_builtins(part), ensure_ascii=False)


@pytest.fixture
def write_run(tmp_path: Path) -> Writer:
    """Write a run folder for one test."""
    return writer(tmp_path)


@pytest.fixture
def run(write_run: Writer) -> RunData:
    """The sample evaluation run, sealed and read back."""
    return load_run(write_run())


def write_training(write_run: Writer, record: dict[str, Any] | None = None) -> Path:
    """Write the sample training run, with its own record or this one."""
    manifest, log = make_training()
    manifest = msgspec.structs.replace(manifest, training=record or manifest.training)
    return write_run(manifest=manifest, records=[], metrics=Metrics(), verdicts=[], train_log=log)


@pytest.fixture
def training_run(write_run: Writer) -> RunData:
    """The sample training run, sealed and read back."""
    return load_run(write_training(write_run))
