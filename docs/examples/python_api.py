"""Write docs/examples/python-api.ipynb: the Python API in a notebook, executed with the engine `fake`.

python docs/examples/python_api.py
"""

import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).with_name("python-api.ipynb")
CELLS = [
    """# tunegate in a notebook

Write a suite, compare two models, look at the verdicts, and load the answers into pandas. The engine `fake` makes
answers up, so that this notebook needs no model and runs in seconds; leave `engine` out to use vLLM. Written by `python
docs/examples/python_api.py`.""",
    """import subprocess
import sys
from pathlib import Path

import tunegate""",
    "`tunegate init contracts/late_fees --yes` writes a suite with five example cases.",
    """init = [sys.executable, "-m", "tunegate.cli.main", "init", "contracts/late_fees", "--yes"]
subprocess.run(init, check=True, capture_output=True)
print(Path("evalsuites/contracts/late_fees/gates.toml").read_text())""",
    """## Compare two models

The result shows what each gate says. Five cases can decide nothing, so the gates are inconclusive.""",
    """result = tunegate.compare("old-model", "new-model", engine="fake", quiet=True)
result""",
    "Verdicts, metrics and the manifest are plain objects.",
    "[(verdict.gate, verdict.outcome, verdict.needed) for verdict in result.verdicts]",
    """## Evaluate one model

Without a baseline, the result shows metrics with their 95% intervals. Gates that compare are not judged.""",
    'tunegate.evaluate("new-model", engine="fake", quiet=True)',
    """## Load a run

`load_run` opens a past run by its name or folder, and `to_pandas` gives a row for each answer. It needs pandas: `pip
install '.[pandas]'` in a checkout.""",
    """answers = tunegate.load_run(result.path).to_pandas()
answers[["case_id", "variant", "expected", "answer", "accuracy"]]""",
    "Each metric is a column.",
    'answers.groupby("variant")["accuracy"].agg(["mean", "count"])',
]
"""Text and code by turns."""


def notebook() -> nbformat.NotebookNode:
    """Return the notebook, not executed."""
    kinds = (nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell)
    cells = [kinds[number % 2](text, id=f"cell-{number}") for number, text in enumerate(CELLS)]
    return nbformat.v4.new_notebook(cells=cells)


def execute(built: nbformat.NotebookNode, folder: Path) -> nbformat.NotebookNode:
    """Execute the cells in a folder. Raises CellExecutionError for the first that fails."""
    client = NotebookClient(built, kernel_name="python3", record_timing=False, resources={"metadata": {"path": folder}})
    return client.execute()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as work:
        nbformat.write(execute(notebook(), Path(work)), NOTEBOOK)
