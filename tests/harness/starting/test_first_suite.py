"""docs/first-suite.md runs as written: here without a model, and on demand word for word on the embedded one."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCUMENT = Path(__file__).parents[3] / "docs" / "first-suite.md"
ASKS_A_MODEL = ("pytest ", "tunegate compare ")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", DOCUMENT.read_text("utf-8"), re.M | re.S)


def typed(folder: Path, block: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run one block as a shell does, with the commands that are installed beside this Python."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    settings = {**os.environ, "PATH": path, "PYTEST_ADDOPTS": "", **environment}
    command = ["bash", "-e", "-c", block]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env=settings, stdin=subprocess.DEVNULL, timeout=900
    )


def test_every_block_runs_in_an_empty_folder_and_says_what_the_page_says(tmp_path: Path) -> None:
    said = ""
    for block in blocks("sh"):
        asks = block.startswith(ASKS_A_MODEL)
        line = block.rstrip() + (" --engine fake" if asks else "")
        done = typed(tmp_path, line, TUNEGATE_CACHE=str(tmp_path / "cache"))
        assert done.returncode == (1 if asks else 0), f"{block}\n{done.stdout}\n{done.stderr}"
        said += done.stdout
    shown = [line for text in blocks("text") if text not in refusals() for line in text.splitlines()]
    assert len(shown) > 8
    assert [line for line in shown if line not in said] == []


def refusals() -> list[str]:
    return [text for text in blocks("text") if text.startswith("tunegate: ")]


def test_the_refusal_on_the_page_is_the_one_that_is_given(tmp_path: Path) -> None:
    made, bring = blocks("sh")[0], blocks("sh")[2]
    typed(tmp_path, made)
    emptied = bring.replace("Do you deliver on Saturdays?", "")
    more = "7,Oak School,So kind of you.,praise,mail\n8,Oak School,Where is my order?,question,chat\n"
    head, end, command = emptied.partition("END\ntunegate")
    done = typed(tmp_path, head + more + end + command)
    assert done.returncode == 4
    assert [done.stderr] == refusals()


@pytest.mark.slow
@pytest.mark.vllm
@pytest.mark.skipif(
    not os.environ.get("TUNEGATE_SERVERS"), reason="asks the real model for minutes: TUNEGATE_SERVERS=1"
)
def test_the_page_runs_word_for_word_on_the_embedded_model(tmp_path: Path) -> None:
    from harness.store import load_run

    for block in blocks("sh"):
        done = typed(tmp_path, block)
        asks = block.startswith(ASKS_A_MODEL)
        assert done.returncode == (1 if asks else 0), f"{block}\n{done.stdout}\n{done.stderr}"
        print(block, done.stdout, sep="\n")
    runs = sorted(path for path in (tmp_path / "runs").iterdir() if path.is_dir())
    asked, compared = (load_run(path) for path in runs)
    assert (len(asked.records), len(compared.records)) == (5, 12)
    assert all(record.completion.finish_reason in ("stop", "length") for record in compared.records)
    assert all(record.completion.text for record in compared.records)
    assert {verdict.outcome for verdict in compared.verdicts} == {"inconclusive"}
    assert asked.manifest.checkpoints["tuned"].name == "smollm2-135m-instruct"
    assert (runs[1] / "report" / "report.html").stat().st_size > 1000
