"""Read and check JSON schemas, for scorers and for answers that must fit one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from harness.errors import NOT_JSON, UserError, typed_line

SAMPLES: tuple[Any, ...] = (None, True, 0, "", [], [0], {}, {"a": 0})
"""Values that test a schema before it is used."""


def read(source: Path | str | Mapping[str, Any]) -> dict[str, Any]:
    """Read a schema from a mapping or a file. Raises UserError."""
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
    """Make the validator of the schema in the JSON text `rules`. Raises UserError for an invalid schema.

    A schema may refer only to itself: nothing is downloaded.
    """
    import jsonschema
    import referencing

    schema = json.loads(rules)
    kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    try:
        kind.check_schema(schema, format_checker=kind.FORMAT_CHECKER)
        checked = kind(schema, registry=referencing.Registry())
        for sample in SAMPLES:
            list(checked.iter_errors(sample))
    except jsonschema.SchemaError as error:
        raise UserError(f"not a valid JSON schema: {error.message[:200]}") from None
    except Exception as error:  # A reference leads nowhere, or to itself without end.
        raise UserError(f"a JSON schema cannot be used: {typed_line(error)}") from None
    return checked
