"""Files for annotation tools, read and written by the tools' own client libraries in an environment of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.runs.score_events import batches
from reports.review import import_answers
from tests.reports.review.annotating import fill_in, save
from tests.reports.review.conftest import WriteRun
from tests.reports.review.test_annotation_tools import opened, says, start
from tests.reports.review.test_packet import quiet

pytestmark = [
    pytest.mark.slow,
    pytest.mark.network,
    pytest.mark.skipif(
        not os.environ.get("TUNEGATE_INSTALL"), reason="installs for minutes; TUNEGATE_INSTALL=1 asks for it"
    ),
]
LABEL_STUDIO = """
import json, pathlib, sys
from label_studio_sdk.label_interface import LabelInterface
interface = LabelInterface(pathlib.Path(sys.argv[1]).read_text())
interface.validate()
for task in json.loads(pathlib.Path(sys.argv[2]).read_text()):
    assert interface.validate_task({"data": task["data"]})
    for annotation in task["annotations"]:
        listed = [each["value"] for each in task["data"]["clauses"]]
        for result in annotation["result"]:  # The options of these are in the task.
            assert not result["from_name"].startswith("missed") or set(result["value"]["choices"]) <= set(listed)
        fixed = [one for one in annotation["result"] if not one["from_name"].startswith("missed")]
        errors = interface._validate_object({**annotation, "result": fixed}, return_errors=True)
        assert not errors, errors
"""
ARGILLA = """
import json, pathlib, sys
from unittest import mock
import argilla as rg
from argilla._models import DatasetModel
from argilla.records._io import JsonIO
folder, filled, out = map(pathlib.Path, sys.argv[1:])
with mock.patch.object(rg.Argilla, "_get_default", return_value=mock.MagicMock()):
    settings = rg.Settings.from_json(folder / ".argilla" / "settings.json")
    settings.validate()
    DatasetModel(**json.loads((folder / ".argilla" / "dataset.json").read_text()))
    fields, asked = {each.name for each in settings.fields}, {each.name for each in settings.questions}
    records = JsonIO._records_from_json(filled)
    for record, row in zip(records, json.loads(filled.read_text()), strict=True):
        record._model.status = row["status"]  # The server sets it.
        assert set(record.fields) == fields and {each.question_name for each in record.responses} <= asked
    JsonIO.to_json(records, out)
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python with the client libraries."""
    folder = tmp_path_factory.mktemp("clients") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    packages = ["label-studio-sdk>=2.1,<3", "argilla>=2.8,<3"]
    subprocess.run([folder / "bin" / "python", "-m", "pip", "install", "--quiet", *packages], check=True)
    return str(folder / "bin" / "python")


def run(python: str, code: str, *words: Path) -> None:
    done = subprocess.run([python, "-c", code, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_label_studio_accepts_configuration_tasks_and_annotations(
    tmp_path: Path, write_run: WriteRun, python: str
) -> None:
    rows = start(path := write_run(), "label-studio", tmp_path)
    filled = fill_in(rows["r1"], "label-studio", *opened(path), says)
    run(python, LABEL_STUDIO, tmp_path / "out" / "r1-config.xml", save(tmp_path / "filled.json", filled))


def test_argilla_reads_the_dataset_and_writes_what_is_imported(
    tmp_path: Path, write_run: WriteRun, python: str
) -> None:
    rows = start(path := write_run(), "argilla", tmp_path)
    filled = fill_in(rows["r1"], "argilla", *opened(path), says)
    written = tmp_path / "written.json"
    run(python, ARGILLA, tmp_path / "out" / "r1", save(tmp_path / "filled.json", filled), written)
    import_answers(path, "compare", written, quiet)
    assert len(batches(path)[0].about["shown"]) == 10
