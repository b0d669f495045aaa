"""kill -9 at any moment: the next run asks only what is missing, and ends like one that nobody killed."""

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.runs.folder import RunData, check_seal, load_run
from tests.support import command
from tests.support.adapters import enliven, save_adapter
from tests.support.live_views import AT_ONCE, kept_keys
from tests.support.mini import rows, write_suite

ROOT = Path(__file__).parents[3]
CASES = 24
TOTAL = 2 * CASES
SEED = 20
LIMIT_S = 3600
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def root(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three folders of the same content, with a cache each, and everything that was done in them."""
    root = tmp_path_factory.mktemp("lives")
    model = enliven(tiny_model, root / "model")
    save_adapter(model, root / "adapter", seed=1)
    for name in ("unbroken", "killed", "two"):
        write_suite(root / name, rows(CASES))
        for part in ("model", "adapter"):
            (root / name / part).symlink_to(root / part)
    settings = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT}:{command.WITHOUT_CHARTS}"}
    words = ["-m", "tests.support.live_views", str(root), str(SEED)]
    done = command.run(*words, cwd=ROOT, env=settings, timeout=LIMIT_S)
    assert done.returncode == 0, done.stderr[-3000:]
    return root


@pytest.fixture(scope="module")
def found(root: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((root / "found.json").read_text())
    return loaded


def only_run(folder: Path) -> RunData:
    (path,) = folder.iterdir()
    assert check_seal(path) == []
    return load_run(path)


def timeless(made: RunData) -> dict[str, Any]:
    """A run without what depends on time and on what was kept: the canary is not asked when nothing is missing."""
    records = [msgspec.structs.replace(record, started_at="") for record in made.records]
    engine = {k: v for k, v in made.manifest.engine.items() if k not in ("wall_s", "cached", "generated", "canary")}
    manifest = msgspec.structs.replace(made.manifest, run_id="", started="", ended=None, engine=engine)
    ordered = sorted(records, key=lambda record: (record.case.id, record.variant))
    return {
        "manifest": manifest, "records": ordered, "metrics": made.metrics, "verdicts": made.verdicts,
    }  # fmt: skip


@pytest.fixture(scope="module")
def unbroken(root: Path, found: dict[str, Any]) -> RunData:
    assert found["unbroken"]["exit"] in (0, 1), found["unbroken"]["said"]
    made = only_run(root / "unbroken" / "whole")
    assert len(made.records) == len(found["unbroken"]["asked"]) == TOTAL
    assert all(record.completion.error is None for record in made.records)
    assert len({record.completion.text for record in made.records}) > CASES
    return made


def test_every_life_was_killed_before_its_end(root: Path, found: dict[str, Any]) -> None:
    assert [one["exit"] for one in found["killed"]] == [-9] * 10
    assert sum(bool(one["asked"]) for one in found["killed"]) >= 5
    assert not list((root / "killed").glob("life*/*/MANIFEST.sha256"))


def test_no_answer_that_was_on_the_disk_is_asked_for_again(found: dict[str, Any]) -> None:
    for one in (*found["killed"], found["last"]):
        assert set(one["asked"]) & set(one["before"]) == set()


def test_a_kill_costs_no_more_than_the_batch_that_was_computed_and_no_answer_is_there_twice(
    found: dict[str, Any],
) -> None:
    for one in (*found["killed"], found["last"]):
        assert set(one["before"]) <= set(one["after"])
        assert len(one["after"]) == len(set(one["after"]))
        assert len(one["asked"]) - AT_ONCE <= len(one["after"]) - len(one["before"]) <= len(one["asked"])
    assert len(found["last"]["after"]) == TOTAL
    assert set(found["last"]["after"]) == set(found["unbroken"]["after"])


def test_the_last_run_reads_what_was_kept_asks_the_rest_and_says_so(root: Path, found: dict[str, Any]) -> None:
    engine = only_run(root / "killed" / "last").manifest.engine
    last = found["last"]
    assert engine["cached"] == len(last["before"]) > 0
    assert engine["generated"] == len(last["asked"]) == TOTAL - len(last["before"])


def test_it_ends_like_a_run_that_nobody_killed(root: Path, found: dict[str, Any], unbroken: RunData) -> None:
    assert found["last"]["exit"] == found["unbroken"]["exit"]
    assert timeless(only_run(root / "killed" / "last")) == timeless(unbroken)


def test_two_runs_at_once_on_one_cache_end_alike_and_damage_no_file(
    root: Path, found: dict[str, Any], unbroken: RunData
) -> None:
    for name, one in zip(("one", "other"), found["two"], strict=True):
        assert one["exit"] == found["unbroken"]["exit"], one["said"]
        engine = only_run(root / "two" / name).manifest.engine
        assert engine["cached"] + len(one["asked"]) == TOTAL  # A run that starts late reads what the other one kept.
        assert timeless(only_run(root / "two" / name)) == timeless(unbroken)
    assert len(kept_keys(root / "two")) == TOTAL
