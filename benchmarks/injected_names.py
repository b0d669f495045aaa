"""Puts wrong names into a faithful text: invented parties and departments, names of the source with one word changed,
and parties that change places.
"""

import random
import re
from collections.abc import Iterator

from injected_places import Edit, at_an_end, exchanged, put
from injected_text import PEOPLE, Passage

from benchmarks.claim_edits.edits import OFFICE, ROLE

FORM = r"(?:Inc\b\.?|LLC\b|L\.L\.C\.|Corp\b\.?|Ltd\b\.?|L\.P\.|LP\b)"
BODY = r"(?:Corporation|Company|Bank|Association)\b"
ENTITY = rf"(?:{FORM}|{BODY})"
WORD = r"[A-Z][\w&'’-]+"
NAMED = re.compile(rf"\b(?!(?:The|This|Such|Each|Contract)\s)(?:{WORD}\s){{0,3}}{WORD}(?:,?\s{FORM}|\s{BODY})")
COMPANIES = [
    *(
        "Thornbury Vale Holdings, LLC",
        "Castlemere Grain Corporation",
        "Quillfeather Media, Inc.",
        "Ostrander Savings Bank",
    ),
    *(
        "Mossgate Freight Company",
        "Verity Lowe Partners, LP",
        "Pinwheel Robotics, Inc.",
        "Hallowell Marine Corporation",
    ),
    *("Brightmoor Leasing, LLC", "Zephyr Lane Textiles, Inc.", "Ravensworth Paper Company", "Eddington Shore Bank"),
]
STRANGERS = ["Cornelius Vantongeren", "Beatriz Lindqvist", "Thaddeus Mbeki", "Wilhelmina Oduya", "Fergus Takahashi"]
OFFICES = [
    *("Department of Covenant Review", "Office of Escrow Supervision", "Vendor Integrity Department"),
    *(
        "Bureau of Lease Standards",
        "Recovery Planning Division",
        "Asset Disposal Committee",
        "Office of Deed Inspection",
    ),
]
OFFICE_WORD = r"(?:Department|Division|Committee|Bureau|Office)\b"
REVIEWS = (
    ", subject to review by the {}",
    ", with a copy to the {}",
    " as the {} may direct",
    ", once the {} consents",
)
OTHER_WORDS = ["Audits", "Shipping", "Vineyard", "Capital", "Marble", "Appeals", "Turbine", "Cottage", "Sterling"]


def invent_party(passage: Passage, rng: random.Random) -> Iterator[Edit]:
    """A company or a person that the source does not name: in place of one that it names, or added."""
    company = rng.choice([name for name in COMPANIES if name.split()[0] not in passage.text])
    named = list(NAMED.finditer(passage.text))
    if named:
        match = rng.choice(named)
        yield put(passage.text, match.start(), match.end(), company, "company replaced")
    people = [match for name in PEOPLE for match in re.finditer(name, passage.text)]
    if people:
        match = rng.choice(people)
        yield put(passage.text, match.start(), match.end(), rng.choice(STRANGERS), "person replaced")
    roles = list(ROLE.finditer(passage.text))
    if roles:
        at = rng.choice(roles).end()
        edit = put(passage.text, at, at, f" and {company}", "company added")
        yield edit._replace(spans=((at + len(" and "), at + len(" and ") + len(company)),))
    if named:
        yield from _one_word(passage.text, rng.choice(named), ENTITY, "company altered", rng)
    if people:
        match, stranger = rng.choice(people), rng.choice(STRANGERS)
        mixed = f"{match[0].split()[0]} {stranger.split()[1]}"
        yield put(passage.text, match.start(), match.end(), mixed, "person altered")


def invent_department(passage: Passage, rng: random.Random) -> Iterator[Edit]:
    """A department that the source does not name: in place of one that it names, or added."""
    office = rng.choice(OFFICES)
    named = list(OFFICE.finditer(passage.text))
    if named:
        match = rng.choice(named)
        yield put(passage.text, match.start(), match.end(), office, "replaced")
    yield from at_an_end(passage.text, rng.choice(REVIEWS), office, "added", rng)
    if named:
        yield from _one_word(passage.text, rng.choice(named), OFFICE_WORD, "altered", rng)


def _one_word(text: str, name: re.Match[str], fixed: str, kind: str, rng: random.Random) -> Iterator[Edit]:
    """The last word of a name of two words or more, what kind of body it is aside, is another one."""
    words = [w for w in re.finditer(WORD, name[0]) if not re.match(fixed, w[0])]
    other = rng.choice([word for word in OTHER_WORDS if word not in text])
    if len(words) > 1 or fixed == OFFICE_WORD:
        altered = name[0][: words[-1].start()] + other + name[0][words[-1].end() :]
        yield put(text, name.start(), name.end(), altered, kind)


def swap_parties(passage: Passage, rng: random.Random) -> Iterator[Edit]:
    """Two parties of one sentence change places."""
    for sentence in re.finditer(r"[^.;]+", passage.text):
        roles = {match[0]: match for match in ROLE.finditer(passage.text, *sentence.span())}
        if len(roles) > 1:
            first, second = sorted(rng.sample(list(roles.values()), 2), key=lambda match: match.start())
            yield exchanged(passage.text, first.span(), second.span(), "roles")
            return
