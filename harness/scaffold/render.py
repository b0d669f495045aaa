"""Render the files of a new suite from the answers."""

from __future__ import annotations

import json
import textwrap
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from harness.formatting import plural
from harness.scaffold.answer_kinds import Kind
from harness.scaffold.default_gates import bars_of
from harness.scaffold.wizard import TYPES, Known, read_fields
from harness.schema import Case

if TYPE_CHECKING:
    import jinja2

EXAMPLE = {"example": "replace me"}
"""The tag that marks an example."""
BASE = "smollm2-135m-instruct"
"""Default base checkpoint of a training run."""


def files_of(domain: str, suite: str, known: Known) -> dict[str, str]:
    """Render every file of the suite's folder, by name."""
    kind: Kind = known["kind"]
    values = {
        **known,
        "domain": domain,
        "suite": suite,
        "base": BASE,
        "bars": bars_of(known),
        "max_tokens": _max_tokens(known),
        "made_by": ", ".join(s.format(tolerance=known.get("tolerance", "")) for s in kind.made_by),
        "import_command": import_command(domain, suite, kind),
    }
    files = {name: _render(template, values) for template, name in TEMPLATES.items()}
    files[f"test_{suite}.py"] = files.pop("test.py")
    files["__init__.py"] = f'"""{_docstring(known["objective"])}"""\n'
    files["cases.jsonl"] = msgspec.json.Encoder().encode_lines(examples(known)).decode()
    if "fields" in known:
        files["schema.json"] = json.dumps(_schema(known), ensure_ascii=False, indent=2) + "\n"
    return files


TEMPLATES = {
    "test.jinja": "test.py",
    "prompt.jinja": "prompt.jinja",
    "gates.jinja": "gates.toml",
    "readme.jinja": "README.md",
    "train.jinja": "train.toml",
}
"""Templates in this folder and the files that they become."""


def import_command(domain: str, suite: str, kind: Kind) -> str:
    """Return the command that imports the user's own cases."""
    inputs = " ".join(f"--input {name}={name.upper()}" for name in kind.inputs)
    several = " --separator ';'" if kind.name == "list" else ""
    none = " --none none" if kind.invented else ""
    columns = f"--id ID {inputs} --expected ANSWER --cluster SOURCE{several}{none}"
    return f"tunegate cases import FILE.csv --into {domain}/{suite} {columns} --replace"


def examples(known: Known) -> list[Case]:
    """Make five cases: the kind's own where labels and fields are its own, else placeholders that say so."""
    kind: Kind = known["kind"]
    cases = []
    for number, example in enumerate(kind.example, 1):
        document, expected = example.document, example.expected
        if list(known.get("labels", kind.labels)) != kind.labels:
            expected = _some_labels(known["labels"], number, kind)
            document = _stand_in(number, expected)
        elif "fields" in known and known["fields"] != read_fields(kind.fields):
            expected = [json.dumps(_some_values(known, number), ensure_ascii=False)]
            document = _stand_in(number, expected)
        given = {"question": example.question, "document": document}
        cases.append(
            Case(
                id=f"example-{number}",
                input={name: given[name] for name in kind.inputs},
                expected=expected,
                cluster=f"example-{number}",
                tags=EXAMPLE,
            )
        )
    return cases


def _stand_in(number: int, expected: list[str]) -> str:
    answer = " and ".join(expected) or "none of them"
    return f"Example {number}, to be replaced by a text of your own whose right answer is: {answer}."


def _some_labels(labels: tuple[str, ...], number: int, kind: Kind) -> list[str]:
    """One label in turn; where several or none may be right, none in the last example."""
    is_list = any(not example.expected for example in kind.example)
    return [] if is_list and number == len(kind.example) else [labels[(number - 1) % len(labels)]]


def _some_values(known: Known, number: int) -> dict[str, Any]:
    values = {"text": f"example {number}", "number": number, "yes/no": number % 2 == 1}
    return {field.name: values[field.type] for field in known["fields"]}


def _schema(known: Known) -> dict[str, Any]:
    names = [field.name for field in known["fields"]]
    return {
        "type": "object",
        "properties": {field.name: {"type": TYPES[field.type]} for field in known["fields"]},
        "required": names,
        "additionalProperties": False,
    }


def _max_tokens(known: Known) -> int:
    """Return the token limit of an answer: a token has two or more characters of a label, or a whole field.

    Of a label in another script it may have one byte only.
    """
    kind: Kind = known["kind"]
    labels = known.get("labels", ())
    if labels:
        sizes = [len(label) if label.isascii() else 2 * len(label.encode()) for label in labels]
        every = sum(sizes) if kind.also else max(sizes)
        return min(512, kind.max_tokens + every // 2 + 2 * len(labels) * bool(kind.also))
    return kind.max_tokens * max(1, len(known.get("fields", ())))


def _render(template: str, values: dict[str, Any]) -> str:
    return _environment().get_template(template).render(values).rstrip() + "\n"


@cache
def _environment() -> jinja2.Environment:
    """Make templates with `<< >>` and `<% %>`, because the files that they write are full of braces."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        variable_start_string="<<",
        variable_end_string=">>",
        block_start_string="<%",
        block_end_string="%>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - writes code and plain text; `quoted` and `as_prompt` escape
    )
    environment.filters |= {
        "docstring": _docstring,
        "quoted": _quoted,
        "as_prompt": _as_prompt,
        "comment": _comment,
        "plural": plural,
    }
    return environment


def _docstring(text: str) -> str:
    """Escape text for a docstring."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _quoted(text: str) -> str:
    """Quote a string for TOML, Python or Jinja: the JSON of printable text is valid in each."""
    return json.dumps(text, ensure_ascii=False)


def _as_prompt(text: str) -> str:
    """Escape text so that a template returns it unchanged, with any braces."""
    return f"{{{{ {_quoted(text)} }}}}" if any(mark in text for mark in ("{{", "{%", "{#")) else text


def _comment(text: str) -> str:
    return "\n".join(textwrap.wrap(text, 110, initial_indent="# ", subsequent_indent="# "))
