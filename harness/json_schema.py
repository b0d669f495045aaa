"""Reads and checks JSON schemas, for scorers and for answers that are held to one. Knows no answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from harness.errors import NOT_JSON, UserError

SAMPLES: tuple[Any, ...] = (None, True, 0, "", [], [0], {}, {"a": 0})
"""Values that a schema is tried on before it is used."""


def read(source: Path | str | Mapping[str, Any]) -> dict[str, Any]:
    """A schema from a mapping or a file."""
    if isinstance(source, Mapping):
        return dict(source)
    try:
        loaded = json.loads(Path(source).read_text("utf-8"))
    except (OSError, *NOT_JSON) as error:
        raise UserError(f"{source}: cannot be read as a JSON schema: {error}") from None
    if not isinstance(loaded, dict):
        raise UserError(f"{source}: expected a JSON schema, an object")
    return loaded


@cache
def validator(rules: str) -> Any:
    """A validator of the schema that is written in `rules`; one that is no schema is a UserError.

    A schema refers to nothing outside itself: none is fetched from anywhere.
    """
    import jsonschema
    import referencing

    schema = json.loads(rules)
    kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    try:
        kind.check_schema(schema, format_checker=kind.FORMAT_CHECKER)
        made = kind(schema, registry=referencing.Registry())
        for sample in SAMPLES:
            list(made.iter_errors(sample))
    except jsonschema.SchemaError as error:
        raise UserError(f"not a valid JSON schema: {error.message[:200]}") from None
    except Exception as error:  # What it refers to is not there, or it refers to itself without end.
        said = (str(error).splitlines() or [""])[0]
        raise UserError(f"a JSON schema that cannot be used: {type(error).__name__}: {said[:200]}") from None
    return made
