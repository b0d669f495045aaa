"""Makes sources, and answers of about a hundred words to them, for each rule scorer. Measures nothing.

Where a suite of the project has a generator, its sources are the suite's own kind (training rows, so that every seed
gives others) and an answer is made of its right answers, most of them with other digits; else the source is plain
words with facts of all kinds.
"""

import itertools
import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

from evalsuites.brand.voice import cases as voice_suite
from evalsuites.brand.voice.briefs import brands
from evalsuites.finance.report import cases as report_suite
from evalsuites.legal.citations import cases as citations_suite
from evalsuites.legal.clauses import cases as clauses_suite
from evalsuites.legal.clauses.floor import PATTERNS
from evalsuites.legal.clauses_long import cases as long_suite
from evalsuites.legal.summaries import cases as summaries_suite
from evalsuites.policy.handbook import cases as handbook_suite
from harness.schema import Case, Completion

WORDS = 100
"""Words of an answer, and a few more at most."""
HALF = WORDS // 2
SENTENCE = (
    "the tenant shall keep roof and gutters in good repair at its own cost unless notice was given before that day or "
    "the landlord agreed to mend them after a storm which neither of them could foresee"
)
PLAIN = SENTENCE.split()
SENTENCE_END = re.compile(r"(?<=[.;])\s+|\n")
NUMBER = re.compile(r"(?<![\dQ])\d{1,3}(?!\d)")
APART = 19
"""Plain words between two facts, which gives five facts in a hundred words, as in a summary of a contract."""
FACTS = [
    "${0},500",
    "{0} days",
    "{0}.5%",
    "May {1}, 2024",
    "Section {1}.2",
    "O.C.G.A. § 44-14-{0}",
    "Oakmere {2}, LLC",
    "{2} Tidal Bank",
    "Records {2} Department",
    "Guideline {1}.3",
    '"notice was given before day {0}"',
    "Jane {2} Quill",
]
NAMES = ["Harbor", "Vesper", "Alder", "Norland", "Fennel", "Larch", "Marlow", "Tarn"]

Pair = tuple[Case, Completion]
Asked = list[tuple[Case, Callable[[], str]]]
"""The cases of one source, each with what makes another answer to it."""
Maker = Callable[[random.Random, int], Iterator[Asked]]
"""Gives the number of sources that is asked for."""


def completion(text: str) -> Completion:
    return Completion(key="k", text=text, finish_reason="stop", prompt_tokens=0, output_tokens=0)


def fact(draw: random.Random) -> str:
    """One fact of some kind."""
    return draw.choice(FACTS).format(draw.randrange(10, 400), draw.randrange(1, 28), draw.choice(NAMES))


def passage(draw: random.Random, words: int) -> str:
    """Plain words with a fact at every twentieth place, in sentences."""
    parts: list[str] = []
    while len(" ".join(parts).split()) < words:
        parts += [*(draw.choice(PLAIN) for _ in range(APART)), fact(draw) + draw.choice([",", ".", ".\n", " and"])]
    return " ".join(" ".join(parts).split(" ")[: words + 5])


def piece(draw: random.Random, document: str, words: int) -> str:
    """Words that stand in a row in a source."""
    listed = document.split()
    at = draw.randrange(max(1, len(listed) - words))
    return " ".join(listed[at : at + words])


def altered(draw: random.Random, text: str) -> str:
    """A text in which none to three digits are others; years stay."""
    digits = [draw.randrange(*found.span()) for found in NUMBER.finditer(text)]
    for at in draw.sample(digits, min(len(digits), draw.randrange(4))):
        text = f"{text[:at]}{draw.randrange(1, 10)}{text[at + 1 :]}"
    return text


def joined(draw: random.Random, first: str, others: Sequence[str]) -> str:
    """A text, and others in any order, up to a hundred words."""
    parts, size = [first], len(first.split())
    for other in itertools.cycle(draw.sample(others, len(others))):
        if size >= WORDS:
            break
        parts.append(other)
        size += len(other.split())
    return altered(draw, " ".join(" ".join(parts).split(" ")[: WORDS + 5]))


def sentences(text: str) -> list[str]:
    return [part.strip() for part in SENTENCE_END.split(text) if len(part.split()) > 2]


def of_suite(suite: Any, rows: int = 1, then: Literal["source", "same", "any"] = "source") -> Maker:
    """Cases of a suite, `rows` to a source; an answer is the right one, and then more up to a hundred words.

    `then` says what: sentences of the source, right answers to it, or right answers to any.
    """

    def made(draw: random.Random, sources: int) -> Iterator[Asked]:
        pairs = list(suite.training_pairs("train", sources * rows, draw.randrange(10**6)))
        every = [right for _, right in pairs]
        for document, group in itertools.groupby(pairs, key=lambda pair: pair[0].document):
            asked = list(group)
            told = {"source": sentences(document), "same": [right for _, right in asked], "any": every}[then]
            yield [(case, lambda right=right, told=told: joined(draw, right, told)) for case, right in asked]

    return made


def drafts(draw: random.Random, sources: int) -> Iterator[Asked]:
    """Cases of the voice suite, answered with drafts that are not in voice."""
    cases = [case for case, _ in voice_suite.training_pairs("train", sources, draw.randrange(10**6))]
    drafted = [case.document for case in cases]
    for case in cases:
        yield [(case, lambda case=case: joined(draw, case.document, drafted))]


def plain_words(draw: random.Random, sources: int) -> Iterator[Asked]:
    """Sources of 400 words; half of an answer repeats its source."""
    for number in range(sources):
        document = passage(draw, 400)
        case = Case(
            id=f"c{number}",
            input={"document": document, "question": "What is due?", "clause_types": "Insurance; Repair; Holdover"},
            expected=["Insurance"],
            cluster=f"d{number}",
            tags={"state": "Georgia"},
        )
        yield [(case, lambda document=document: f"{passage(draw, HALF)} {piece(draw, document, HALF)}")]


def listed_clauses(draw: random.Random, sources: int) -> Iterator[Asked]:
    """Excerpts of contracts, answered with a list of clause types, each with words of the excerpt behind it."""
    names = sorted(PATTERNS)

    def answer(case: Case) -> str:
        named = case.expected + draw.sample(names, max(0, 5 - len(case.expected)))
        return "The clauses are:\n" + "\n".join(f"- {name}: {piece(draw, case.document, 17)}" for name in named)

    for case, _ in clauses_suite.training_pairs("train", sources, draw.randrange(10**6)):
        yield [(case, lambda case=case: answer(case))]


def labelled(draw: random.Random, sources: int) -> Iterator[Asked]:
    """Numbered sentences, answered with a label, the numbers of sentences and words that explain them."""
    for number in range(sources):
        sentences = [f"[{n}] {passage(draw, 12)}" for n in range(1, 11)]
        case = Case(
            id=f"l{number}",
            input={"document": " ".join(sentences)},
            expected=[draw.choice(["Entailment", "Contradiction"])],
            cluster=f"l{number}",
            tags={"evidence": "2 3"},
        )
        yield [(case, lambda: f"Entailment [{draw.randrange(1, 12)}, 3] {passage(draw, WORDS)}")]


def quoted(draw: random.Random, sources: int) -> Iterator[Asked]:
    """Sources of 400 words and two labelled strings, answered with four lines of the source."""
    for number in range(sources):
        document = passage(draw, 400)
        case = Case(
            id=f"q{number}",
            input={"document": document},
            expected=[piece(draw, document, 30) for _ in range(2)],
            cluster=f"q{number}",
        )
        yield [(case, lambda document=document: "\n".join(f'- "{piece(draw, document, 24)}"' for _ in range(4)))]


def fields(draw: random.Random, sources: int) -> Iterator[Asked]:
    """A question for five fields, answered in JSON."""
    for number in range(sources):
        wanted = {f"field_{n}": draw.randrange(99) for n in range(5)}
        case = Case(
            id=f"j{number}", input={"document": passage(draw, 100)}, expected=[json.dumps(wanted)], cluster=f"j{number}"
        )
        yield [
            (
                case,
                lambda wanted=wanted: json.dumps(
                    wanted | {"field_0": draw.randrange(99), "notes": passage(draw, WORDS - 12)}
                ),
            )
        ]


def numbers(draw: random.Random, sources: int) -> Iterator[Asked]:
    """A question for an amount, answered in plain words."""
    for number in range(sources):
        case = Case(
            id=f"n{number}", input={"document": passage(draw, 100)}, expected=[f"${number + 1},500"], cluster="n"
        )
        yield [(case, lambda: passage(draw, WORDS))]


def options(draw: random.Random, sources: int) -> Iterator[Asked]:
    """A question with three options, answered in plain words."""
    for number in range(sources):
        case = Case(id=f"o{number}", input={"document": passage(draw, 100)}, expected=["B"], cluster="o")
        yield [(case, lambda: f"{draw.choice('ABC')}. {passage(draw, WORDS)}")]


STYLE = {brand.name: brand.style for brand in brands().values()}
CLAUSE_NAMES = tuple(sorted(PATTERNS))
SUMMARIES, LONG, CITATIONS = of_suite(summaries_suite), of_suite(long_suite, 2), of_suite(citations_suite, 3)
HANDBOOKS = of_suite(handbook_suite)
REPORTS, VOICE = of_suite(report_suite, 2, then="same"), of_suite(voice_suite, then="any")
