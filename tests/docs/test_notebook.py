"""The notebook of the Python API is what its script says, was executed, and still runs."""

from __future__ import annotations

import json
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "docs" / "examples" / "python_api.py"
pytestmark = pytest.mark.skipif(find_spec("nbclient") is None, reason="needs nbclient: pip install '.[dev]'")


@pytest.fixture
def script() -> ModuleType:
    """The script that writes the notebook."""
    spec = spec_from_file_location("python_api", SCRIPT)
    assert spec and spec.loader
    made = module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def shown(cells: list[Any]) -> list[list[list[str]]]:
    """The kinds of output below each cell."""
    return [[sorted(out.get("data", out["output_type"])) for out in cell.get("outputs", [])] for cell in cells]


@pytest.mark.slow
def test_every_cell_runs_and_the_kept_notebook_shows_what_it_shows(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNEGATE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "work").mkdir()
    kept = json.loads(script.NOTEBOOK.read_text("utf-8"))["cells"]
    fresh = script.execute(script.notebook(), tmp_path / "work").cells
    assert ["".join(cell["source"]) for cell in kept] == [cell["source"] for cell in fresh] == script.CELLS
    assert shown(kept) == shown(fresh)
    page = "".join(fresh[5]["outputs"][0]["data"]["text/html"])
    assert "Gates of contracts/late_fees" in page and "INCONCLUSIVE" in page
