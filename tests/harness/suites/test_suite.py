"""What a suite declares is checked before any model runs."""

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from harness import Suite
from harness.errors import UserError
from harness.scoring import labels, scorer, short_answer
from tests.support.mini import rows, suites, write_suite


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
    with pytest.raises(UserError, match=r"'slices' is 'desk', expected a list of texts, such as \['a'\]"):
        Suite(scorers=[], slices="desk")


@pytest.mark.parametrize(
    ("argument", "wrong", "expected"),
    [
        ("max_tokens", "24", "a whole number of at least 1"),
        ("max_tokens", 0, "a whole number of at least 1"),
        ("samples", "3", "a whole number of at least 1"),
        ("samples", 0, "a whole number of at least 1"),
        ("temperature", "0.7", "a number of at least 0"),
        ("temperature", -1, "a number of at least 0"),
        ("cluster", 3, "a text"),
        ("licence", None, "a text"),
        ("general", "no", "True or False"),
        ("slices", [3], "a list of texts"),
        ("scorers", short_answer.given, "a list of scorers"),
        ("scorers", ["accuracy"], "expected scorers"),
        ("scorers", [short_answer], "expected scorers"),
        ("scorers", [labels.among], r"which makes a scorer. Call it: among\(\.\.\.\)"),
    ],
)
def test_an_argument_of_another_type_is_one_line_with_its_place(argument: str, wrong: object, expected: str) -> None:
    arguments: dict[str, Any] = {"scorers": [], argument: wrong}
    with pytest.raises(UserError, match=rf"test_suite\.py:\d+: Suite\(\.\.\.\): '{argument}' .*{expected}"):
        Suite(**arguments)


def test_all_wrong_arguments_are_named_together() -> None:
    with pytest.raises(UserError, match="cannot be used: 2 problems"):
        Suite(scorers=[], max_tokens=0, samples=0)


def test_a_scorer_without_a_file_of_its_own_is_refused_before_a_run() -> None:
    made = scorer(name="made", metrics=[])(partial(short_answer.given.function))
    with pytest.raises(UserError, match="the scorer 'made' is a partial, expected a function"):
        print(Suite(scorers=[made]).metrics)


CLOSE = """
from importlib import import_module
from pathlib import Path
from mylib.normal import normal
from harness.scoring import scorer

rules, words = import_module("evalsuites.legal.mini.rules"), Path(__file__).with_name("words.txt").read_text()
more = [file.read_text() for file in sorted(Path(__file__).parent.glob("lists/*.lst"))]

def close(share, known=(), place=__file__):
    memo = {}
    @scorer(name="close", metrics=[])
    def close_enough(case, completion):
        memo[case.id] = share, known, place, words, normal, rules
    return close_enough
"""
MINI = "evalsuites/legal/mini/"
TEST = f"{MINI}test_mini.py"
FACTORY = (
    "from evalsuites.legal.mini.close import close\nfrom harness import Suite\n\nsuite = Suite(scorers=[close(0.9)])\n"
)
TIDY = "class Tidy(Suite):\n    def score(self, case, completion): ...\n\n\nsuite = Tidy("
FILES = {
    TEST: FACTORY,
    f"{MINI}close.py": CLOSE,
    f"{MINI}words.txt": "hold over=holdover\n",
    f"{MINI}rules.py": "LIMIT = 1\n",
    "mylib/normal.py": "from mylib.inner import normal\n",
    "mylib/inner.py": "def normal(text): ...\n",
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Suite]:
    """Load the suite of a project in a folder of its own, with these files."""

    def load(place: str, **files: str) -> Suite:
        root = tmp_path / place
        write_suite(root)
        for name, text in (FILES | files).items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        for name in [name for name in sys.modules if name.partition(".")[0] in ("evalsuites", "mylib")]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.syspath_prepend(root)
        (suite,) = suites(root)
        return suite

    return load


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (TEST, FACTORY.replace("0.9", "0.0")),
        (TEST, FACTORY.replace("0.9", "0.9, known={'as is': ['as-is']}")),
        (TEST, FACTORY.replace("suite = Suite(", TIDY)),
        (f"{MINI}words.txt", "as is=none\n"),
        ("evalsuites/words.txt", "as is=none\n"),
        ("evalsuites/legal/shared/words.txt", "as is=none\n"),
        (f"{MINI}rules.py", "LIMIT = 0\n"),
        ("mylib/inner.py", "def normal(text):\n    return ''\n"),
        ("mylib/__init__.py", "import mylib.inner\n"),
        (f"{MINI}lists/more.lst", "as is=none\n"),
        ("evalsuites/legal/lists/more.lst", "as is=none\n"),
        (TEST, FACTORY.replace("0.9", "0.9, known=lambda text: 'as is' in text")),
    ],
)
def test_the_scorers_hash_follows_what_decides_scores(project: Callable[..., Suite], file: str, text: str) -> None:
    assert project("one").scorers_hash != project("two", **{file: text}).scorers_hash


def test_a_function_given_to_a_factory_counts_by_its_source(project: Callable[..., Suite]) -> None:
    one, again, other = (
        project(place, **{TEST: FACTORY.replace("0.9", f"0.9, known=lambda text: '{words}' in text") + comment})
        for place, words, comment in (("one", "as is", ""), ("two", "as is", "# Later.\n"), ("three", "is", ""))
    )
    assert one.scorer_versions == again.scorer_versions != other.scorer_versions


@pytest.mark.parametrize(
    "file",
    [
        *(f"{MINI}{name}" for name in ("README.md", "tidied.toml", "cases.py", "noise.json", ".x", "v2/gates.toml")),
        "evalsuites/other.txt",
        "evalsuites/legal/rules.py",
        "words.txt",
    ],
)
def test_other_files_of_a_suite_do_not_change_its_scorers(project: Callable[..., Suite], file: str) -> None:
    comment = {TEST: FACTORY + "# Later.\n"}
    assert project("one").scorers_hash == project("two", **comment, **{file: "1\n"}).scorers_hash


def test_versions_with_config_and_versions_after_scoring_stay(project: Callable[..., Suite]) -> None:
    suite = project("one", **{TEST: FACTORY.replace("0.9", "0.9, {1}")})
    suite.scorers[0](suite.cases[0], None)  # type: ignore[arg-type]
    assert suite.scorer_versions == project("two", **{TEST: FACTORY.replace("0.9", "0.9, {1}")}).scorer_versions
    suite = project("three", **{f"{MINI}close.py": CLOSE.replace("metrics=[]", "metrics=[], config=share")})
    assert suite.scorer_versions == {"close": suite.scorers[0].version}  # type: ignore[attr-defined]


def test_cases_in_a_folder_around_a_suite_are_no_part_of_its_scorers(project: Callable[..., Suite]) -> None:
    named = {TEST: FACTORY.replace("scorers=", 'cases="../all.jsonl", scorers=')}
    cases = {place: {"evalsuites/legal/all.jsonl": json.dumps(case)} for place, case in zip("ab", rows(2), strict=True)}
    one, two = (project(place, **named, **file).scorers_hash for place, file in cases.items())
    assert one == two
