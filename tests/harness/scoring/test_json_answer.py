"""JSON answers: parsed strictly, checked by schema, compared field by field."""

import json

import pytest

from harness.errors import UserError
from harness.schema import Case
from harness.scoring.json_answer import matching
from tests.support.answers import answer

SCHEMA = {
    "type": "object",
    "properties": {"clause": {"type": "string"}, "days": {"type": "number"}, "binding": {"type": "boolean"}},
    "required": ["clause"],
    "additionalProperties": False,
}
WANTED = {"clause": "holdover", "days": 30, "binding": True}


def scored(text: str, expected: list[str] | None = None, finish: str = "stop"):
    case = Case(id="q", input={}, expected=[json.dumps(WANTED)] if expected is None else expected, cluster="q")
    return matching(SCHEMA)(case, answer(text, finish))


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        (json.dumps(WANTED), (1, 1, 3, 1)),
        (f"```json\n{json.dumps(WANTED, indent=2)}\n```", (1, 1, 3, 1)),
        ('{"clause": " holdover ", "days": 30.0, "binding": true}', (1, 1, 3, 1)),
        ('{"clause": "holdover", "days": 30, "binding": 1}', (1, 0, 2, 0)),  # 1 is not true
        ('{"clause": "holdover", "days": "30", "binding": true}', (1, 0, 2, 0)),
        ('{"clause": "holdover", "days": 31}', (1, 1, 1, 0)),
        ('{"days": 30, "binding": true}', (1, 0, 2, 0)),
        ('{"clause": "holdover", "days": 30, "binding": true, "note": ""}', (1, 0, 3, 0)),
        ('{"clause": "a", "clause": "holdover"}', (0, 0, 0, 0)),
        ('{"clause": "holdover", "days": NaN}', (0, 0, 0, 0)),
        ('Here: {"clause": "holdover"}', (0, 0, 0, 0)),
        ('["holdover"]', (1, 0, 0, 0)),
        ("", (0, 0, 0, 0)),
        ("[" * 50_000, (0, 0, 0, 0)),
        ('"' + "x" * 200_000 + '"', (0, 0, 0, 0)),
    ],
)
def test_an_answer_is_parsed_checked_and_compared(text, counts):
    found = scored(text)
    assert (found.parsed, found.valid, found.right_fields, found.exact) == counts
    assert found.fields == 3


def test_a_cut_answer_is_no_answer():
    found = scored(json.dumps(WANTED), finish="length")
    assert found.counts["exact"] == 0 and found.problems == ["the answer is cut short"]


def test_without_an_expected_object_the_schema_alone_decides():
    assert scored('{"clause": "anything"}', []).exact == 1


def test_what_breaks_the_schema_is_said():
    assert scored('{"clause": 5}').problems == ["clause: 5 is not of type 'string'"]


@pytest.mark.parametrize("expected", [["{"], ["[1]"], ["{}", "{}"]])
def test_a_case_without_one_object_is_named(expected):
    assert "case 'q'" in matching(SCHEMA).check(Case(id="q", input={}, expected=expected, cluster="q"))[0]


def test_a_schema_that_is_none_is_refused(tmp_path):
    with pytest.raises(UserError, match="not a valid JSON schema"):
        matching({"type": "objekt"})
    (tmp_path / "schema.json").write_text("[]")
    with pytest.raises(UserError, match="an object"):
        matching(tmp_path / "schema.json")
    with pytest.raises(UserError, match="cannot be read"):
        matching(tmp_path / "none.json")
