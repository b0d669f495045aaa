"""What the suites on public data have in common: how they are refused without it, and how they split it."""

import os
import subprocess
import sys
from importlib import import_module
from itertools import combinations
from pathlib import Path
from types import ModuleType

import pytest

from harness.errors import Unavailable, UserError
from tests.evalsuites.judging import ROOT, available, cases_of

TRAINED = {"public/cuad": "CC BY 4.0", "public/contractnli": "CC BY 4.0", "public/plain_english": "Apache 2.0"}
LICENCES = TRAINED | {"public/legalbench": "CC BY 4.0"}
SPLITS = ("train", "validation", "test")
every_suite = pytest.mark.parametrize("name", LICENCES)
every_split = pytest.mark.parametrize("name", TRAINED)


@every_suite
def test_without_the_data_one_line_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    for folder in ("", str(tmp_path)):
        monkeypatch.setenv("TUNEGATE_DATA", folder)
        with pytest.raises(Unavailable) as told:
            cases_of(name).cases()
        assert "TUNEGATE_DATA" in str(told.value) and LICENCES[name] in str(told.value)
        assert len(str(told.value).splitlines()) == 1


@every_split
def test_no_source_is_in_two_splits(name: str) -> None:
    available(name)
    sources = [{case.cluster for case in cases_of(name).cases(split)} for split in SPLITS]
    assert all(sources) and all(not one & other for one, other in combinations(sources, 2))


@pytest.mark.parametrize("name", [name for name in LICENCES if name != "public/cuad"])
def test_cases_are_the_same_in_every_process(name: str) -> None:
    """Sets have another order in each, which must not reach a case."""
    ask = f"from tests.evalsuites.judging import suite_of; print(suite_of({name!r}).cases_hash)"
    for seed in ("1", "2"):
        told = subprocess.run(
            [sys.executable, "-c", ask],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert told.stdout.strip() == available(name).cases_hash


@every_split
def test_the_test_split_gives_no_training_rows(name: str) -> None:
    module: ModuleType = import_module(f"evalsuites.{name.replace('/', '.')}.build_training")
    rows = (10,) if name == "public/cuad" else ()
    with pytest.raises(UserError, match="the split 'test' is the suite's own"):
        module.training_cases("test", *rows, 0)
