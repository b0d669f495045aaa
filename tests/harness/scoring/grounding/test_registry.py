"""The closed list of names: one key a name, every problem of a file at once."""

import pytest
from msgspec.structs import replace

from harness.errors import UserError
from harness.files import digest
from harness.scoring.grounding import registry
from harness.scoring.grounding.registry import RegisteredName

GOOD = """complete = ["department"]

[[name]]
kind = "department"
name = "Records Department"
aliases = ["Records Desk", "Dept. of Records"]

[[name]]
kind = "party"
name = "Oakmere Holdings, LLC"
"""


def written(tmp_path, text):
    path = tmp_path / "names.toml"
    path.write_text(text, "utf-8")
    return path


def test_a_name_is_found_by_each_of_its_forms(tmp_path):
    known = registry.load(written(tmp_path, GOOD))
    assert known.complete == {"department"}
    for form in ("Records Department", "the RECORDS DEPARTMENT's", "records desk", "Department of Records"):
        assert known.find(form).name == "Records Department"
    assert known.find("Oakmere Holdings L.L.C.").kind == "party"
    assert known.find("Oakmere Holdings, Inc.") is None


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Acme Holdings, LLC", "ACME HOLDINGS L.L.C."),
        ("Acme, Incorporated", "Acme Inc."),
        ("Acme Corporation", "Acme Corp."),
        ("Bell & Howe Company", "Bell and Howe Co."),
        ("Guideline HR-07", "guideline hr\u20117"),
        ("The Tenant's", "tenant"),
        ("O’Brien", "O'Brien's".replace("'B", "’B")),
    ],
)
def test_ways_to_write_one_name_share_a_key(left, right):
    assert registry.key(left) == registry.key(right) != ""


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Acme, LLC", "Acme, Inc."),
        ("G-12", "G-120"),
        ("Guideline 4.2", "Guideline 42"),
        ("Guideline 4.2", "Guideline 4"),
    ],
)
def test_names_that_look_alike_have_two_keys(left, right):
    assert registry.key(left) != registry.key(right)


def test_all_problems_of_a_file_are_named_together(tmp_path):
    text = """complete = ["department", "colour", "fund"]
stray = 1
[[name]]
kind = "department"
name = "Records Department"
aliases = ["RD"]
[[name]]
kind = "department"
name = "records department"
[[name]]
kind = "court"
name = "Roads Division"
aliases = ["R.D."]
[[name]]
kind = "planet"
name = "..."
[[name]]
kind = "party"
title = "x"
aliases = "y"
"""
    with pytest.raises(UserError) as error:
        registry.load(written(tmp_path, text))
    said = str(error.value)
    for part in (
        "10 problems",
        "unknown key 'stray'",
        "'complete' names 'colour'",
        "'complete' names 'fund', but no name of that kind is listed",
        "name 2: 'records department' means two names",
        "name 3: 'R.D.' means two names: 'Records Department' and 'Roads Division'",
        "kind is 'planet'",
        "'...' has no letter",
        "unknown key 'title'",
        "'name' is missing",
        "'aliases' is 'y'",
    ):
        assert part in said, part


@pytest.mark.parametrize("text", ["", "[[name", "complete = 3", "name = 4"])
def test_a_file_that_is_no_registry_is_refused(tmp_path, text):
    with pytest.raises(UserError, match=r"names\.toml"):
        registry.load(written(tmp_path, text))


def test_a_file_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        registry.load(tmp_path / "none.toml")


def test_the_config_changes_with_names_aliases_and_what_is_complete():
    one = RegisteredName("party", "Acme, LLC", ())
    made = [
        registry.of([one]),
        registry.of([one], ["party"]),
        registry.of([replace(one, aliases=("Acme",))]),
        registry.of([replace(one, kind="fund")]),
    ]
    assert len({digest(r.config) for r in made}) == 4
    assert digest(registry.of([one]).config) == digest(registry.of([RegisteredName("party", "Acme, LLC", ())]).config)
