"""A project whose suite has accepted the old model."""

import shutil
from pathlib import Path

import pytest

from harness.baseline.accept import accept
from tests.support.accepted_suite import OLD, SAID, write
from tests.support.mini import evaluate, suites


@pytest.fixture(scope="package")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("project")
    write(made)
    accept(evaluate(made, OLD).path, suites(made), SAID)
    return made


@pytest.fixture
def root(project: Path, tmp_path: Path) -> Path:
    """The project, for one test to change."""
    return Path(shutil.copytree(project, tmp_path / "project"))
