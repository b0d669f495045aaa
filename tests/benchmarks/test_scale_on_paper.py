"""What a million contracts would cost: formulas against hand-worked figures, and the tables of docs/scale.md."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.test_injected import load

ROOT = Path(__file__).parents[2]
paper = load("scale_on_paper")


def test_decode_is_bound_by_what_a_step_reads() -> None:
    """256 sequences of 1,024 tokens hold 34.4 GB beside 16 GB of weights: 15.04 ms a step at 3.35 TB/s."""
    assert paper.decode(256, 1024) == pytest.approx(256 / 0.01504, rel=1e-3)


def test_hours_are_prefill_and_then_decode_over_all_gpus() -> None:
    work = paper.Work(1_000_000, 4_000, 100)
    prefill_s, decode_s = 4e9 / 40_000, 1e8 / work.decode
    assert work.hours(8, 40_000) == pytest.approx((prefill_s + decode_s) / 8 / 3600)
    assert work.hours(64, 40_000) == pytest.approx(work.hours(8, 40_000) / 8)


def test_so_many_sequences_fit_beside_the_weights() -> None:
    """80 GB * 0.88 - 16 GB - 3 GiB = 51.18 GB; 4,100 tokens of 131,072 bytes are 537.4 MB."""
    assert paper.Work(1, 4_000, 100).sequences == int(51.18e9 / 537.4e6) == 95


def test_the_page_holds_what_the_script_prints() -> None:
    script = [sys.executable, str(ROOT / "benchmarks" / "scale_on_paper.py")]
    printed = subprocess.run(script, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    page = (ROOT / "docs" / "scale.md").read_text("utf-8")
    tables = printed.strip().split("\n\n")
    assert len(tables) == 4 and all(table in page for table in tables)
