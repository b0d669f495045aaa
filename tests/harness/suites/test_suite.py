"""What a suite declares is checked before any model runs."""

from functools import partial
from pathlib import Path

import pytest

from harness import Suite
from harness.errors import UserError
from harness.scoring import scorer, short_answer


def test_an_unknown_primary_metric_is_one_clear_line() -> None:
    suite = Suite(scorers=[short_answer.accepted], primary="acuracy")
    with pytest.raises(
        UserError, match=r"Suite\(primary='acuracy'\) is not a metric .*\. They have: accuracy, complete_rate$"
    ):
        print(suite.metrics)
    assert "accuracy" in [m.name for m in Suite(scorers=[short_answer.accepted], primary="accuracy").metrics]


def test_a_suite_has_its_gates_where_ci_looks_for_them() -> None:
    """CI knows a suite that a change removes by its gates.toml in the base."""
    with pytest.raises(TypeError, match="'gates'"):
        Suite(scorers=[], gates="strict.toml")  # type: ignore[call-arg]


def test_a_suite_in_a_notebook_is_one_line() -> None:
    with pytest.raises(UserError, match=r"Suite\(\.\.\.\) was called in a console or notebook, expected in a file"):
        exec("Suite(scorers=[])", {"Suite": Suite})


def test_cases_are_a_file_or_a_function_and_slices_are_several() -> None:
    assert Suite(scorers=[], cases=Path("mine.jsonl")).cases_path == Path(__file__).with_name("mine.jsonl")
    with pytest.raises(TypeError, match="PathLike object, not list"):
        Suite(scorers=[], cases=[])  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"Suite\(slices='desk'\) is one text, .* Write \['desk'\]"):
        Suite(scorers=[], slices="desk")


def test_a_scorer_without_a_file_of_its_own_is_refused_before_a_run() -> None:
    made = scorer(name="made", metrics=[])(partial(short_answer.given.function))
    with pytest.raises(UserError, match="the scorer 'made' is a partial, expected a function"):
        print(Suite(scorers=[made]).metrics)
