"""What holds for every suite whose cases are drawn by a generator: a table of suites, and a test for each fact."""

from importlib import import_module

import pytest

from evalsuites.training_rows import case_rows, write_rows
from tests.evalsuites.test_dev_cases import FOLDER

GENERATED = {
    "brand/voice": ("generate", 150),
    "finance/report": ("generate", 30),
    "policy/handbook": ("generate", 40),
}
"""The module that draws a suite's cases and training rows, and how many rows a test draws."""


@pytest.fixture(params=GENERATED)
def suite(request):
    """Name of the suite, its generator, and the number of rows to draw."""
    module, rows = GENERATED[request.param]
    return request.param, import_module(f"evalsuites.{request.param.replace('/', '.')}.{module}"), rows


def test_committed_cases_are_what_the_generator_writes(suite, tmp_path):
    name, generate, _ = suite
    write_rows(tmp_path / "cases.jsonl", case_rows(generate.eval_cases()))
    assert (tmp_path / "cases.jsonl").read_bytes() == (FOLDER / name / "cases.jsonl").read_bytes()


def test_a_seed_gives_other_rows_and_the_same_seed_the_same(suite):
    _, generate, rows = suite
    first, again, other = (list(generate.training_pairs("train", rows, seed)) for seed in (0, 0, 1))
    assert first == again != other
    assert len(first) >= rows and len({str(case.input) for case, _ in first}) > 0.9 * len(first)
