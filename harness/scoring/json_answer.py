"""Score JSON answers: valid JSON, valid by a schema, and the right value in each field.

An answer may be in a code fence; with anything else around it, it is not JSON. Duplicate keys make it invalid, as do
NaN and Infinity, which JSON does not have.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness import json_schema
from harness.schema import Case, Completion, Score
from harness.scoring.base import Scorer, ratios, scorer

FENCE = re.compile(r"\s*```(?:json)?[ \t]*\n(.*?)\n?```\s*", re.S | re.I)
MAX_CHARACTERS = 100_000
"""Longer answers are not parsed."""

METRICS = ratios(
    "json",
    {
        "json_parse_rate = parsed": "Share of answers that are valid JSON.",
        "json_schema_rate = valid": "Share of answers that the JSON schema allows.",
        "json_field_accuracy = right_fields / fields": "Share of the fields asked for that have the right value.",
        "json_exact_rate = exact": "Share of answers that the schema allows and whose fields all have the right value.",
    },
)


def matching(schema: Path | str | Mapping[str, Any]) -> Scorer:
    """Make a scorer of JSON answers by a JSON schema, given as a mapping or a file.

    A case's `expected` is one JSON object: each of its fields is compared, as values and not as text, so that 1 and 1.0
    are equal. Fields that it does not name may have any value. `expected = []` checks the schema alone. Raises
    UserError for a schema that cannot be used.
    """
    rules = json_schema.read(schema)
    validator = json_schema.validator(json.dumps(rules))

    def not_an_object(case: Case) -> list[str]:
        expected, why = parse(case.expected[0]) if case.expected else ({}, "")
        why = (
            "several"
            if len(case.expected) > 1
            else why or ("" if isinstance(expected, dict) else "it is not an object")
        )
        return [f"case '{case.id}': expected must be one JSON object ({why})"] if why else []

    @scorer(metrics=METRICS, name="json", config=rules, check=not_an_object)
    def answer(case: Case, completion: Completion) -> Score:
        """Validity and fields of one answer. An answer that cannot be parsed has every field wrong."""
        expected: dict[str, Any] = parse(case.expected[0])[0] if case.expected else {}
        is_cut = completion.finish_reason != "stop"
        value, why = (None, "the answer is cut short") if is_cut else parse(completion.text)
        broken = [] if why else [f"{_at(error)}{error.message}"[:200] for error in validator.iter_errors(value)]
        fields = value if isinstance(value, dict) else {}
        right = [name for name, one in expected.items() if name in fields and _equal(fields[name], one)]
        valid = not why and not broken
        exact = valid and len(right) == len(expected)
        return Score(
            name="json",
            value=float(exact),
            extracted={
                "problems": [why] if why else broken[:10],
                "wrong": [name for name in expected if name not in right],
            },
            counts={
                "parsed": int(not why),
                "valid": int(valid),
                "right_fields": len(right),
                "fields": len(expected),
                "exact": int(exact),
            },
        )

    return answer


def parse(text: str) -> tuple[Any, str]:
    """Return the JSON value of a text, or None with the reason."""
    if len(text) > MAX_CHARACTERS:
        return None, f"longer than {MAX_CHARACTERS:,} characters"
    fenced = FENCE.fullmatch(text)
    bare = fenced[1] if fenced else text
    try:
        return json.loads(bare, object_pairs_hook=_without_duplicates, parse_constant=_refuse), ""
    except (ValueError, RecursionError) as error:
        return None, f"not JSON: {error}"[:200]


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) < len(pairs):
        raise ValueError("a key occurs twice")
    return unique


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _equal(value: Any, expected: Any) -> bool:
    """Whether two values are equal; true is not 1, 1 is 1.0, and text is compared without white space around it."""
    if isinstance(value, bool) or isinstance(expected, bool):
        return value is expected
    if isinstance(value, str) and isinstance(expected, str):
        return value.strip() == expected.strip()
    if isinstance(value, list) and isinstance(expected, list):
        return len(value) == len(expected) and all(_equal(a, b) for a, b in zip(value, expected, strict=True))
    if isinstance(value, dict) and isinstance(expected, dict):
        return value.keys() == expected.keys() and all(_equal(value[key], expected[key]) for key in expected)
    return bool(value == expected)


def _at(error: Any) -> str:
    path = "/".join(map(str, error.absolute_path))
    return f"{path}: " if path else ""
