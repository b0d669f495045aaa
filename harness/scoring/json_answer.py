"""Scores answers in JSON: valid JSON, valid by a schema, and the right value in each field. Knows no source document.

An answer may stand in a code fence; anything else around it is not JSON. A key that occurs twice makes it invalid, and
so do NaN and Infinity, which JSON does not have.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness import json_schema
from harness.schema import Case, Completion, Metric, Score
from harness.scoring.base import Scorer, scorer

FENCE = re.compile(r"\s*```(?:json)?[ \t]*\n(.*?)\n?```\s*", re.S | re.I)
MOST = 100_000
"""Characters of the longest answer that is parsed."""

METRICS = [
    Metric(name="json_parse_rate", scorer="json", numerator="parsed", says="Share of answers that are valid JSON."),
    Metric(
        name="json_schema_rate", scorer="json", numerator="valid", says="Share of answers that the JSON schema allows."
    ),
    Metric(
        name="json_field_accuracy",
        scorer="json",
        numerator="right_fields",
        denominator="fields",
        says="Share of the fields asked for which hold the right value.",
    ),
    Metric(
        name="json_exact_rate",
        scorer="json",
        numerator="exact",
        says="Share of answers that the schema allows and whose fields all hold the right value.",
    ),
]


def matching(schema: Path | str | Mapping[str, Any]) -> Scorer:
    """A scorer of JSON answers by a JSON schema, given as a mapping or a file.

    A case's `expected` holds one JSON object: each of its fields is compared, as values and not as text, so that 1 and
    1.0 are equal. Fields that it does not name are free. `expected = []` asks for the schema alone.
    """
    rules = json_schema.read(schema)
    validator = json_schema.validator(json.dumps(rules))

    def unread(case: Case) -> list[str]:
        wanted, why = (
            _parse(case.expected[0]) if len(case.expected) == 1 else ({}, "" if not case.expected else "several")
        )
        if why or not isinstance(wanted, dict):
            return [f"case '{case.id}': expected must hold one JSON object ({why or 'it is no object'})"]
        return []

    @scorer(metrics=METRICS, name="json", config=rules, check=unread)
    def answer(case: Case, completion: Completion) -> Score:
        """Validity and fields of one answer. An answer that cannot be parsed has every field wrong."""
        wanted: dict[str, Any] = _parse(case.expected[0])[0] if case.expected else {}
        found, why = (
            _parse(completion.text) if completion.finish_reason == "stop" else (None, "the answer is cut short")
        )
        broken = [] if why else [f"{_at(error)}{error.message}"[:200] for error in validator.iter_errors(found)]
        fields = found if isinstance(found, dict) else {}
        right = [name for name, value in wanted.items() if name in fields and _equal(fields[name], value)]
        valid = not why and not broken
        exact = valid and len(right) == len(wanted)
        return Score(
            name="json",
            value=float(exact),
            extracted={
                "problems": [why] if why else broken[:10],
                "wrong": [name for name in wanted if name not in right],
            },
            counts={
                "parsed": int(not why),
                "valid": int(valid),
                "right_fields": len(right),
                "fields": len(wanted),
                "exact": int(exact),
            },
        )

    return answer


def _parse(text: str) -> tuple[Any, str]:
    """The JSON value of a text, or None with the reason."""
    if len(text) > MOST:
        return None, f"longer than {MOST:,} characters"
    fenced = FENCE.fullmatch(text)
    try:
        return json.loads(fenced[1] if fenced else text, object_pairs_hook=_once, parse_constant=_refuse), ""
    except (ValueError, RecursionError) as error:
        return None, f"not JSON: {error}"[:200]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _equal(found: Any, wanted: Any) -> bool:
    """Equal values; true is not 1, 1 is 1.0, and text is compared without the white space around it."""
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    if isinstance(found, str) and isinstance(wanted, str):
        return found.strip() == wanted.strip()
    if isinstance(found, list) and isinstance(wanted, list):
        return len(found) == len(wanted) and all(_equal(a, b) for a, b in zip(found, wanted, strict=True))
    if isinstance(found, dict) and isinstance(wanted, dict):
        return found.keys() == wanted.keys() and all(_equal(found[key], wanted[key]) for key in wanted)
    return bool(found == wanted)


def _at(error: Any) -> str:
    path = "/".join(map(str, error.absolute_path))
    return f"{path}: " if path else ""
