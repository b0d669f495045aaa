"""docs/reference is what `make reference` writes, and leaves nothing without words."""

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import typer
from msgspec import Struct, field

from harness import env, errors, schema
from harness.judges import rubric
from harness.progress import terminal
from harness.runs import redaction
from harness.scoring.brand import style_guide
from harness.suites import suite
from reports.assumptions import Assumptions
from reports.review import rubric as review_rubric
from tools import documented, reference
from tools.documented import Entry
from training.config import Config
from training.sweep import config as sweep
from tunegate.cli import main

DOCS = Path(__file__).parents[2] / "docs"
PAGES = reference.pages()
VARIABLE = re.compile(r"\bTUNEGATE_\w+")


class Inner(Struct, frozen=True, kw_only=True):
    """What an outer one holds."""

    n: int
    """A number."""


class Outer(Struct, frozen=True, kw_only=True):
    name: str
    """Its
    name."""
    inners: list[Inner] = field(default_factory=list)
    silent: Literal["a", "b"] = "a"


@pytest.mark.parametrize("path", PAGES)
def test_a_generated_page_is_what_the_code_says_now(path: str) -> None:
    committed = (DOCS / path).read_text("utf-8")
    assert committed == PAGES[path], f"docs/{path} is not what the code says: run `make reference`"


def test_every_struct_and_field_that_is_shown_has_words() -> None:
    shown = documented.reached([struct for _, struct in reference.FILES])
    keys = [
        *documented.reached([Config])[1:],
        sweep.SweepSettings,
        rubric.JudgeRubric,
        review_rubric.ReviewRubric,
        Assumptions,
    ]
    silent = [
        f"{struct.__name__}.{one.name}"
        for struct in [*shown, *keys]
        for one in documented.fields(struct, lambda inner: inner.__name__)
        if not one.says
    ]
    assert len(shown) > 30 and silent == []
    assert [struct.__name__ for struct in shown if not documented.own_doc(struct)] == []


def test_every_command_and_each_of_its_parameters_has_words() -> None:
    waiting: list[tuple[str, Any]] = [("tunegate", typer.main.get_command(main.app))]
    silent = []
    for name, command in waiting:
        silent += [name] if not command.help else []
        silent += [f"{name} {one.name}" for one in command.params if not one.help]
        waiting += [(f"{name} {inner}", one) for inner, one in getattr(command, "commands", {}).items()]
        assert f"## {name}\n" in PAGES["reference/commands.md"] or name == "tunegate"
    assert len(waiting) > 30 and silent == []


def test_every_keyword_of_a_suite_and_every_exit_code_has_words() -> None:
    keywords = documented.keywords(suite.Suite.__init__, suite.Suite.__doc__ or "")
    codes = documented.constants(errors, "EXIT_")
    assert len(keywords) > 10 and len(codes) == 7
    assert [one.name for one in [*keywords, *codes] if not one.says] == []


def test_no_page_names_a_folder_of_this_machine() -> None:
    assert [path for path, text in PAGES.items() for place in (DOCS.parent, Path.home()) if f"{place}/" in text] == []


@pytest.mark.parametrize(
    ("hint", "says"),
    [
        (int, "whole number"),
        (bool | None, "true or false"),
        (Literal["a", "b", "c"], "`a`, `b` or `c`"),
        (list[str], "list of texts"),
        (tuple[int, int], "list of whole numbers"),
        (tuple[str, int], "list of texts, whole numbers"),
        (Sequence[str], "list of texts"),
        (dict[str, int], "table of whole numbers"),
        (Mapping[str, Any], "table of anything"),
        (str | Path | None, "text or path"),
        (Annotated[list[str] | None, "words"], "list of texts"),
        (str | Callable[[], int], "text or function"),
        (Inner | None, "Inner"),
        (list[Inner], "list of Inner"),
    ],
)
def test_a_type_is_put_into_words(hint: Any, says: str) -> None:
    assert documented.words(hint) == says


def test_fields_come_with_type_default_and_the_string_below_them() -> None:
    assert documented.fields(Outer, lambda struct: f"<{struct.__name__}>") == [
        Entry("name", "text", "required", "Its name."),
        Entry("inners", "list of <Inner>", "`[]`", ""),
        Entry("silent", "`a` or `b`", '`"a"`', ""),
    ]


def test_what_a_struct_holds_is_reached_once() -> None:
    assert documented.reached([Outer, Inner]) == [Outer, Inner]
    assert schema.Estimate in documented.reached([schema.Metrics])


def test_a_struct_without_a_docstring_has_none() -> None:
    assert (documented.own_doc(Inner), documented.own_doc(Outer)) == ("What an outer one holds.", "")


def test_notes_are_the_strings_under_names() -> None:
    body = ast.parse('A = 1\n"""One."""\nB: int = 2\nC = 3\n"""Of C."""\n').body
    assert documented.notes(body) == {"A": "One.", "C": "Of C."}


@pytest.mark.parametrize(
    ("text", "says"), [("take it", "Take it."), ("vLLM engines", "vLLM engines."), ("Whole.", "Whole."), ("", "")]
)
def test_a_help_text_becomes_a_sentence(text: str, says: str) -> None:
    assert documented.sentence(text) == says


def test_every_environment_variable_that_is_read_has_words() -> None:
    folders = [DOCS.parent / name for name in ("harness", "training", "reports", "evalsuites")]
    read = {
        name
        for folder in folders
        for file in folder.rglob("*.py")
        for name in VARIABLE.findall(file.read_text("utf-8"))
    }
    found = documented.constants(env)
    assert {one.kind for one in found} == read - {terminal.LENT} | {env.CI}
    assert len(found) > 5 and [one.name for one in found if not one.says] == []


def test_the_files_of_a_style_guide_and_of_secrets_are_shown_as_they_are_read(tmp_path: Path) -> None:
    shown = re.findall(r"```toml\n(.*?)```", PAGES["reference/configuration.md"], re.S)
    guide, secrets = (tmp_path / "style.toml", tmp_path / "redact.toml")
    for file, text in zip((guide, secrets), shown, strict=True):
        file.write_text(text, "utf-8")
    assert style_guide.load(guide).banned[0].id == "customer"
    assert set(redaction.load(secrets)) == {redaction.WORDS, "matter"}
