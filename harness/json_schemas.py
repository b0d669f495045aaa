"""Reads and checks JSON schemas, for scorers and for answers that are held to one. Knows no answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from harness.errors import UserError


def read(source: Path | str | Mapping[str, Any]) -> dict[str, Any]:
    """A schema from a mapping or a file."""
    if isinstance(source, Mapping):
        return dict(source)
    try:
        loaded = json.loads(Path(source).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{source}: cannot be read as a JSON schema: {error}") from None
    if not isinstance(loaded, dict):
        raise UserError(f"{source}: expected a JSON schema, an object")
    return loaded


@cache
def validator(rules: str) -> Any:
    """A validator of the schema that is written in `rules`; one that is no schema is a UserError."""
    import jsonschema

    schema = json.loads(rules)
    kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    try:
        kind.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise UserError(f"not a valid JSON schema: {error.message}") from None
    return kind(schema)
