"""Three runs over the same contracts, written with literal scores."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from harness.schema import Record
from reports import side_by_side
from tests.reports.conftest import Writer
from tests.support.sample import make_manifest, make_record

RIGHT, WRONG = "The clause is present.", "None of the clauses is present."


def answers(wrong: tuple[int, ...] = (), cases: int = 6) -> list[Record]:
    """The tuned model's answers to so many contracts."""
    return [make_record(n, "tuned", WRONG if n in wrong else RIGHT, n not in wrong) for n in range(cases)]


def change(records: list[Record], number: int, **fields: Any) -> list[Record]:
    """The records with other fields of one of them."""
    return [structs.replace(r, **fields) if place == number else r for place, r in enumerate(records)]


MakeRun = Callable[..., str]


@pytest.fixture
def make_run(write_run: Writer) -> MakeRun:
    """Write the run that started on a day, and return its folder: `make_run(2, records, **fields of the manifest)`."""

    def make(day: int, records: list[Record], **more: Any) -> str:
        manifest = make_manifest(**{"run_id": f"run-{day}", "started": f"2026-11-{day:02d}T08:00:00Z", **more})
        return str(write_run(manifest=manifest, records=records))

    return make


@pytest.fixture
def three(make_run: MakeRun) -> list[str]:
    """A is right on all; B is wrong on 3, lacks 5 and got another input for 4; C is wrong on 1, with another prompt."""
    second = change(answers((3,), cases=5), 4, input_hash="other")
    third = change(answers((1,)), 0, prompt_hash="other")
    return [make_run(1, answers()), make_run(2, second), make_run(3, third)]


def written(runs: list[str], out: Path) -> str:
    """The page of these runs."""
    columns, first = side_by_side.open_columns(runs, Path("runs"))
    return side_by_side.write(columns, first, out / side_by_side.NAME).read_text("utf-8")


def data_of(page: str) -> dict[str, Any]:
    """The data that the script of a page reads."""
    data: dict[str, Any] = json.loads(page.split('<script id="data" type="application/json">')[1].split("</script>")[0])
    return data
