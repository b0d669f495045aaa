"""A style guide is data: it is read whole, or refused with everything that is wrong with it in one message."""

import copy

import pytest

from harness.errors import UserError
from harness.scoring.brand import style_guide
from harness.scoring.brand.style_guide import SWITCHES, load, parse

GOOD = {
    "client": "Ambleworth",
    "glossary": ["crema"],
    "slang": ["deffo"],
    "trust_source_spelling": False,
    "tone": dict.fromkeys(SWITCHES, False),
    "banned": [
        {
            "id": "customer",
            "terms": ["customer", "Customers", "customer’s"],
            "use": ["partner", "partners", "partner's"],
            "why": "We serve partners.",
        },
        {"id": "hype", "terms": ["game changer", "game-changer"]},
        {"id": "cheap", "terms": ["cheap", "cheaper"], "use": ["well priced"]},
    ],
    "name": [{"exact": "TideFlask", "wrong": ["Tide Flask"]}, {"exact": "tinyPot"}],
    "required": [{"id": "thanks", "any_of": ["thank you", "thanks"], "when": {"kind": ["reply", "letter"]}}],
}


def spoiled(**changes):
    """The good guide with values set at dotted paths: `banned__0__terms` is the first banned rule's terms."""
    guide = copy.deepcopy(GOOD)
    for path, value in changes.items():
        *way, last = [int(step) if step.isdigit() else step for step in path.split("__")]
        table = guide
        for step in way:
            table = table[step]
        if value is None:
            del table[last]
        else:
            table[last] = value
    return guide


def refused(guide) -> str:
    with pytest.raises(UserError) as error:
        parse(guide)
    return str(error.value)


def test_a_good_guide_is_read_with_all_its_parts():
    guide = parse(GOOD)
    assert (guide.client, guide.glossary, guide.slang, guide.trust_source_spelling) == (
        *("Ambleworth", ("crema",), ("deffo",), False),
    )
    assert [rule.id for rule in guide.banned] == ["customer", "hype", "cheap"]
    assert [(name.exact, name.wrong) for name in guide.names] == [("TideFlask", ("Tide Flask",)), ("tinyPot", ())]
    assert not guide.tone.emoji


def test_the_source_is_trusted_unless_the_guide_says_otherwise():
    assert parse(spoiled(trust_source_spelling=None)).trust_source_spelling


def test_a_term_is_replaced_by_its_own_wording_by_the_one_for_all_or_by_none():
    customer, hype, cheap = parse(GOOD).banned
    assert [customer.replacement(t) for t in ("CUSTOMER", "customers", "customer's")] == [
        *("partner", "partners", "partner's")
    ]
    assert hype.replacement("game changer") == ""
    assert cheap.replacement("cheaper") == "well priced"


def test_a_required_group_holds_for_the_cases_with_its_tags():
    group = parse(GOOD).required[0]
    assert [group.applies(tags) for tags in ({"kind": "letter"}, {"kind": "copy"}, {})] == [True, False, False]
    assert parse(spoiled(required__0__when=None)).required[0].applies({})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"colour": "red"}, "style guide: unknown key 'colour'"),
        ({"banned__0__words": ["x"]}, "[[banned]] 1: unknown key 'words'. Expected one of id, terms, use, why"),
        ({"tone__humour": True}, "[tone]: unknown key 'humour'"),
        ({"client": None}, "'client' is missing"),
        ({"tone__emoji": None}, "[tone]: 'emoji' is missing"),
        ({"tone__emoji": "no"}, "[tone]: 'emoji' is 'no', expected true or false"),
        ({"tone": True}, "[tone] is not a table"),
        ({"banned": {"id": "x"}}, "'banned' is not a list of tables"),
        ({"banned__1__terms": []}, "'terms' is [], expected a list of terms"),
        ({"banned__1__terms": ["ok", "  "]}, "'terms' is ['ok', '  '], expected a list of terms, each with a letter"),
        ({"banned__1__terms": ["\u00ad\u200b"]}, "expected a list of terms, each with a letter or digit"),
        ({"banned__1__terms": ["!!"]}, "'terms' is ['!!'], expected a list of terms, each with a letter or digit"),
        ({"banned__1__terms": "hype"}, "'terms' is 'hype', expected a list of terms"),
        ({"name__0__exact": ""}, "'exact' is '', expected text with a letter or digit"),
        ({"required__0__when": {}}, "expected tags with their values"),
        ({"required__0__any_of": None}, "[[required]] 1: 'any_of' is missing"),
        ({"banned__1__id": "customer"}, "the id 'customer' is stated twice"),
        ({"banned__1__terms": ["CUSTOMER"]}, "'CUSTOMER' is stated twice, in banned 'customer' and banned 'hype'"),
        ({"banned__1__terms": ["game  changer", "game changer"]}, "'game changer' is stated twice, in banned 'hype'."),
        ({"banned__1__terms": ["customer's"]}, "'customer's' is stated twice"),
        ({"name__1__exact": "TIDEFLASK"}, "'TIDEFLASK' is stated twice, in name 'TideFlask' and name 'TIDEFLASK'"),
        ({"glossary": ["crema", "Crema"]}, "the word 'Crema' is stated twice"),
        ({"required__0__any_of": ["Thanks", "thanks"]}, "'thanks' is stated twice, in required 'thanks'"),
        ({"required__0__any_of": ["Customer"]}, "'Customer' is in required 'thanks' and banned by banned 'customer'"),
        ({"required__0__any_of": ["dear customer"]}, "'dear customer' is in required 'thanks' and banned by"),
        ({"name__0__exact": "Cheap Pan"}, "'Cheap Pan' is in name 'Cheap Pan' and banned by banned 'cheap'"),
        ({"glossary": ["cheaper"]}, "'cheaper' is in the glossary and banned by banned 'cheap'"),
        ({"glossary": ["deffo"]}, "'deffo' is both slang and in the glossary"),
        ({"banned__2__use": ["a cheap one"]}, "'a cheap one' is in the replacement in banned 'cheap' and banned by"),
        ({"banned__0__use": ["a", "b"]}, "banned 'customer': 2 replacements for 3 terms"),
    ],
)
def test_a_guide_with_a_mistake_is_refused_and_the_mistake_named(changes, said):
    assert said in refused(spoiled(**changes))


def test_a_required_term_that_only_looks_like_a_banned_one_is_accepted():
    assert parse(spoiled(required__0__any_of=["accustomed", "customer-made".replace("customer", "custom")]))


def test_every_mistake_is_named_in_one_message():
    said = refused(spoiled(colour="red", banned__1__terms=[], tone__emoji=1, name__0__exact=" ", client=None))
    assert "5 problems" in said
    for part in ("'colour'", "'terms'", "'emoji'", "'exact'", "'client'"):
        assert part in said


def test_every_conflict_is_named_in_one_message():
    said = refused(spoiled(banned__1__id="customer", banned__1__terms=["customers"], glossary=["cheap"]))
    assert "3 problems" in said


def test_a_file_is_loaded_and_named_in_its_errors(tmp_path):
    good = "[tone]\n" + "".join(f"{switch} = true\n" for switch in SWITCHES)
    path = tmp_path / "house.toml"
    path.write_text('client = "A"\n' + good, "utf-8")
    assert load(path).tone.slang
    path.write_text('client = "A"\nclient = "B"\n', "utf-8")
    with pytest.raises(UserError, match=r"house\.toml: not valid TOML"):
        load(path)
    path.write_text('client = ""\n' + good, "utf-8")
    with pytest.raises(UserError, match=r"house\.toml: style guide: 'client' is ''"):
        load(path)
    with pytest.raises(UserError, match="cannot be read"):
        load(tmp_path / "absent.toml")


def test_the_example_in_the_docstring_is_a_guide_that_loads(tmp_path):
    example = "\n".join(
        line[4:] for line in style_guide.__doc__.splitlines() if line.startswith("    ") or not line.strip()
    )
    (tmp_path / "style.toml").write_text(example, "utf-8")
    assert load(tmp_path / "style.toml").client == "Ambleworth"
