"""Drafts for a made-up client, scored by its style guide."""

from harness.schema import Case
from harness.scoring import base
from harness.scoring.brand import voice
from harness.scoring.brand.style_guide import SWITCHES, parse
from tests.support.answers import answer

BASE = {
    "client": "Ambleworth",
    "glossary": ["crema", "HEPA", "deets"],
    "slang": ["deffo"],
    "tone": dict.fromkeys(SWITCHES, False),
    "banned": [
        {
            "id": "customer",
            "terms": ["customer", "customers", "customer's", "customers'"],
            "use": ["partner", "partners", "partner's", "partners'"],
            "why": "We serve partners.",
        },
        {"id": "bare", "terms": ["client"]},
        {"id": "hype", "terms": ["game changer", "state-of-the-art", "best", "best in class"]},
    ],
    "name": [
        {"exact": "TideFlask", "wrong": ["Tide Flask", "Tide-Flask"]},
        *({"exact": "tinyPot"}, {"exact": "AQLA"}, {"exact": "ClearView Pro"}),
    ],
    "required": [{"id": "thanks", "any_of": ["thank you", "thanks"], "when": {"kind": ["reply"]}}],
}
SOURCE = (
    "A partner wrote: our customers love the new lid, gonna buy\nmore of it. It wobbels. Price: 1.5 litres for $30."
)
SCORER = voice.in_style(parse(BASE))


def case(expected=(), document=SOURCE, **tags):
    return Case(id="c", input={"document": document}, expected=list(expected), cluster="s", tags=tags)


def scored(text, finish="stop", scorer=SCORER, **given_case):
    return base.run([scorer], case(**given_case), answer(text, finish)).voice


def rules(text, scorer=SCORER, **given_case):
    return scored(text, scorer=scorer, **given_case).rules
