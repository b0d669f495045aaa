"""Puts one error into a faithful text, or writes it another way without error.

Every operator takes a passage and a random generator and gives edits: the new text, and where in it the error stands
(an empty range at the seam where words were dropped).
"""

import random
import re
from collections.abc import Callable, Iterator

from injected_names import invent_department, invent_party, swap_parties
from injected_places import SENTENCE, Edit, at_an_end, exchanged, put
from injected_text import KNOWN_SECTIONS, Passage

from benchmarks.claim_edits.edits import EXCEPTION
from benchmarks.claim_edits.figures import another_unit, figures, restated, swapped

CITED = re.compile(
    r"(?P<head>(?:O\.C\.G\.A\.|OCGA|Georgia Code|Ga\. Code Ann\.|Code)\s+(?:§|Section)\s*)"
    r"(?P<number>\d{1,2}-\d{1,2}[A-Z]?-\d+(?:\.\d+)?)"
)
HEADS = ("O.C.G.A. § ", "OCGA § ", "Georgia Code Section ", "Ga. Code Ann. § ", "Official Code of Georgia Annotated § ")
CROSS = re.compile(
    r"(?<=[a-z,(] )(?:Section|Article|Paragraph|Clause)\s(?P<number>\d{1,2}(?:\.\d{1,2})?)(?![\w-]|\.\d|\()"
)
SUFFIX = re.compile(r",? (?:Inc\b\.?|LLC\b|Corp\b\.?|LP\b)(?=[,;)]|\s[a-z])")
LEADING = re.compile(r"(?:(?<=^)|(?<=[.;]\s))(?:Except|Unless)\b[^,.;]{5,},\s(?=\w)")
QUOTED = re.compile(r"(?:“|(?<![^\s(\[])\")(?P<inside>\w[^“”\"]*[\w.,;!?])(?:”|\"(?!\w))")
PLAIN_WORD = re.compile(r"(?<![\w-])[a-z]{4,}(?![\w-])")
ANOTHER_WORD = {
    **{"shall": "may", "written": "spoken", "before": "after", "after": "before", "prior": "later", "under": "beyond"},
    **{"without": "despite", "each": "some", "other": "former", "every": "hardly", "with": "against", "from": "toward"},
}
ODD_WORDS = [
    "lantern",
    "quarterly",
    "timid",
    "harvest",
    "upstream",
    "granite",
    "seldom",
    "painted",
    "borrowed",
    "hollow",
]
LEADS = ("In summary, ", "According to the document, ", "The passage states the following. ", "In short: ", "")


Operator = Callable[[Passage, random.Random], Iterator[Edit]]


def swap_figure(passage: Passage, rng: random.Random) -> Iterator[Edit]:
    """One figure of each kind gets a value that stands nowhere in the source; and one period gets another unit."""
    found = figures(passage.text)
    rng.shuffle(found)
    for figure in {f.kind: f for f in found}.values():
        new = swapped(figure, passage.text, rng)
        if new:
            yield put(passage.text, figure.start, figure.end, new, figure.kind)
    periods = [figure for figure in found if figure.kind == "duration"]
    if periods:
        figure = rng.choice(periods)
        new = another_unit(passage.text[figure.start : figure.end])
        if new not in passage.text:
            yield put(passage.text, figure.start, figure.end, new, "unit of a duration")


def exchange_figures(passage: Passage, rng: random.Random) -> Iterator[Edit]:
    """Two figures of one kind change places: each is in the source, and each is wrong."""
    found = figures(passage.text)
    pairs = [(a, b) for a in found for b in found if a.end <= b.start and a.kind == b.kind and a.value != b.value]
    if pairs:
        first, second = rng.choice(pairs)
        yield exchanged(passage.text, (first.start, first.end), (second.start, second.end), first.kind)


def invent_section(passage: Passage, rng: random.Random) -> Iterator[Edit]:
    """A section that exists nowhere: in place of a cited one, added, or as the contract's own section number."""
    title, chapter, number = rng.choice(KNOWN_SECTIONS).split("-")
    unreal = rng.choice((f"{title}-99-{rng.randint(2, 999)}", f"{title}-{chapter}-{rng.randint(901, 999)}"))
    unreal = rng.choice((unreal, f"{title}-{chapter}-{number.split('.')[0]}.{rng.randint(11, 19)}"))
    cited = list(CITED.finditer(passage.text))
    if cited:
        match = rng.choice(cited)
        yield put(passage.text, match.start(), match.end(), match["head"] + unreal, "statute changed")
    yield from at_an_end(passage.text, ", as {} provides", rng.choice(HEADS) + unreal, "statute added", rng)
    crossed = list(CROSS.finditer(passage.text))
    if crossed:
        match = rng.choice(crossed)
        other = f"{rng.randint(31, 89)}" + (f".{rng.randint(1, 9)}" if "." in match["number"] else "")
        yield put(
            passage.text,
            match.start(),
            match.start("number") + len(match["number"]),
            _number(match, other),
            "of the contract",
        )


def swap_section(passage: Passage, rng: random.Random) -> Iterator[Edit]:
    """Another real section in place of the cited one."""
    cited = list(CITED.finditer(passage.text))
    if cited:
        match = rng.choice(cited)
        other = rng.choice([section for section in KNOWN_SECTIONS if section not in passage.text])
        yield put(passage.text, match.start(), match.end(), match["head"] + other, "statute changed")


def drop_exception(passage: Passage, rng: random.Random) -> Iterator[Edit]:
    """The words from "except", "unless" or "provided that" to the sentence's end, or up to the comma, are left out."""
    found = [(match, "at the end") for match in EXCEPTION.finditer(passage.text)]
    found += [(match, "in front") for match in LEADING.finditer(passage.text)]
    if found:
        match, kind = rng.choice(found)
        rest = passage.text[match.end() :]
        rest = rest[0].upper() + rest[1:] if kind == "in front" else rest
        yield Edit(passage.text[: match.start()] + rest, ((match.start(), match.start()),), kind)


def change_quote(passage: Passage, rng: random.Random) -> Iterator[Edit]:
    """One word of a quotation of four words or more is another: in the source's own, and in a sentence quoted whole."""
    quoted = [match for match in QUOTED.finditer(passage.text) if len(match["inside"].split()) >= 4]
    for match in rng.sample(quoted, min(1, len(quoted))):
        yield from _word_changed(passage.text, *match.span("inside"), "quotation of the source", rng)
    for said, (start, end) in _quoting(passage, rng):
        yield from _word_changed(said, start, end, "sentence quoted", rng)


OPERATORS: dict[str, Operator] = {
    "swap a figure": swap_figure,
    "exchange two figures": exchange_figures,
    "invent a section": invent_section,
    "swap a section": swap_section,
    "invent a party": invent_party,
    "invent a department": invent_department,
    "drop the exception": drop_exception,
    "swap parties": swap_parties,
    "change a quotation": change_quote,
}


def untouched(passage: Passage, rng: random.Random) -> Iterator[Edit]:
    """The passage as it stands."""
    yield Edit(passage.text, (), "as it stands")


def restate(passage: Passage, rng: random.Random) -> Iterator[Edit]:
    """The same facts in other written forms: every figure, section and company; and a sentence quoted word by word.

    What stands in quotation marks is left as it is, since a quotation in other words is none.
    """
    text = passage.text
    changes = [(f.start, f.end, restated(f, text, rng)) for f in figures(text)]
    changes += [(m.start(), m.end(), rng.choice(HEADS) + m["number"]) for m in CITED.finditer(text)]
    changes += [(m.start(), m.end(), "") for m in SUFFIX.finditer(text)]
    quoted = [match.span() for match in QUOTED.finditer(text)]
    for start, end, new in sorted(changes, reverse=True):
        if not any(first < end and start < last for first, last in quoted):
            text = text[:start] + new + text[end:]
    if text != passage.text:
        yield Edit(rng.choice(LEADS) + text, (), "written otherwise")
    for said, _ in _quoting(passage, rng):
        yield Edit(said, (), "sentence quoted")


def _number(match: re.Match[str], other: str) -> str:
    return match[0][: match.start("number") - match.start()] + other


def _quoting(passage: Passage, rng: random.Random) -> Iterator[tuple[str, tuple[int, int]]]:
    """An answer that quotes a sentence of the passage, and where the quotation stands in it."""
    sentences = [match[0] for match in SENTENCE.finditer(passage.text)]
    if sentences:
        lead = rng.choice(('The document states: "', 'It says that "', 'The words are "'))
        quotation = rng.choice(sentences)
        yield f'{lead}{quotation}".', (len(lead), len(lead) + len(quotation))


def _word_changed(text: str, start: int, end: int, kind: str, rng: random.Random) -> Iterator[Edit]:
    words = list(PLAIN_WORD.finditer(text, start, end))
    if words:
        match = rng.choice(words)
        new = ANOTHER_WORD.get(match[0]) or rng.choice(ODD_WORDS)
        yield put(text, match.start(), match.end(), new, kind)
