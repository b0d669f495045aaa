"""Assemble phrases of a bank into whole contracts, each with two questions."""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evalsuites.legal.clauses.drafting.assemble import STYLES, Rota
from evalsuites.legal.clauses.drafting.bank import ANY, INSTRUMENTS, Entry
from evalsuites.legal.clauses.drafting.scan import scanned
from evalsuites.legal.clauses.drafting.slots import fill
from evalsuites.legal.clauses_long import frame, plan, terms
from evalsuites.legal.clauses_long.bank import CLAUSE_PLACES, PLACES, LongBank, Topic
from evalsuites.legal.clauses_long.plan import Plan
from evalsuites.legal.clauses_long.terms import Terms

PARAGRAPHS = (14, 25)
"""Numbered paragraphs of a contract."""
LONG_FORM = 0.15
"""Share of the contracts that take up every topic there is."""
EMBEDDED = 0.4
"""Share of the clauses and near misses inside a paragraph on another subject."""
GENERAL = 0.2
"""Share of the near misses that would fit any clause, such as a heading without text."""
SHUFFLED = 0.25
"""Share of the contracts whose paragraphs are in random order."""
MANNERS = (
    ("{n}.", "paragraph {n}"),
    ("§ {n}.", "Section {n}"),
    ("({n})", "item {n}"),
    ("{p}.{k}", "Section {p}.{k}"),
)
"""How paragraphs are numbered and referred to: n runs through the contract, p and k count parts and within one."""
ROMAN = ("I", "II", "III", "IV", "V")
LAYOUTS = ("plain", "plain", "parts", "captions")
"""Headings: none, one for each part, or a caption for each paragraph."""

KEY_DATE = re.compile(r"\b(?:expir|maturity|ends on|occur by|due (?:in full )?on \{date)", re.I)
"""Near misses whose date is the contract's own and no day in the past."""
OWN_HEAD = re.compile(r"[^.:;]{1,40}(?:[.:]| - )")
"""A phrase that opens with a heading of its own, or with words as short as one."""
REFERENCE = re.compile(r"@(\w+)@")
DEFINED = re.compile(r"(?:^|(?<=[.:?] ))the (?=Property|Premises)")


@dataclass(frozen=True)
class Contract:
    name: str
    instrument: str
    style: str
    document: str
    paragraphs: int
    """Numbered ones."""
    plan: Plan


@dataclass
class Item:
    """One numbered paragraph before it has its number."""

    place: str
    caption: str
    text: str
    topic: str = ""


@dataclass
class Rotas:
    """Turns of clauses, of phrases and of near misses over all contracts."""

    present: Rota
    phrases: Rota


@dataclass
class Draft:
    """One contract under way."""

    bank: LongBank
    instrument: str
    style: str
    terms: Terms
    rng: random.Random
    rotas: Rotas

    def phrase(self, entries: Sequence[Entry], *, clause: str = "", past: bool = False) -> str:
        """One entry that suits this contract, filled; in its style when there is one, else in the other."""
        fitting = [entry for entry in entries if self.instrument in entry.instruments]
        styled = [entry for entry in fitting if self.style in (entry.style, "scanned")]
        entry = self.rotas.phrases.pick(styled or fitting, self.rng)
        slots = self.terms.past if past and not KEY_DATE.search(entry.text) else self.terms.slots
        text = fill(entry.text, slots, self.rng, formal=entry.style == "formal", clause=clause)
        return DEFINED.sub("The ", text.replace("..", "."))

    def clause_items(self, contents: Plan) -> list[Item]:
        """The clauses present, and the near misses."""
        return [
            Item(
                CLAUSE_PLACES[self.instrument][name],
                self.rng.choice(self.bank.captions[name]),
                self._near_miss(name) if name in contents.near_misses else self.phrase(self.bank.clauses[name]),
            )
            for name in [*contents.present, *contents.near_misses]
        ]

    def _near_miss(self, name: str) -> str:
        has_own = any(self.instrument in entry.instruments for entry in self.bank.decoys.get(name, []))
        general = ANY if self.rng.random() < GENERAL or not has_own else name
        return self.phrase(self.bank.decoys[general], clause=name, past=True)

    def topic_item(self, topic: Topic) -> Item:
        return Item(topic.place, topic.caption, self.phrase(topic.entries), topic.name)


def contracts(bank: LongBank, count: int, seed: str, paragraphs: tuple[int, int] = PARAGRAPHS) -> Iterator[Contract]:
    """`count` contracts; equal arguments give equal text."""
    rotas = Rotas(Rota(), Rota())
    keys = tuple(INSTRUMENTS)
    for number in range(count):
        rng = random.Random(f"{seed}:{number}")
        instrument, style = keys[number % 3], STYLES[number // 3 % 3]
        formal = style == "formal" or (style == "scanned" and rng.random() < 0.5)
        agreed = terms.draw(bank.pools, instrument, formal, rng)
        draft = Draft(bank, instrument, style, agreed, rng, rotas)
        yield _contract(draft, f"{instrument}-{number + 1:04d}", formal, rng.randint(*paragraphs))


def _contract(draft: Draft, name: str, formal: bool, paragraphs: int) -> Contract:
    fitting = draft.bank.draftable(draft.instrument)
    contents = plan.draw(draft.instrument, fitting, draft.rotas.present, draft.rng)
    items = _ordered(draft, _items(draft, contents, paragraphs))
    manner = "formal" if formal else "modern"
    frames, instrument, agreed = draft.bank.frames, draft.instrument, draft.terms
    before = frame.opening(frames, instrument, manner, agreed, draft.rng)
    after = frame.ending(frames, instrument, manner, agreed, draft.rng)
    text = "\n\n".join([*before, *_numbered(draft, items), *after])
    return Contract(name, INSTRUMENTS[instrument], draft.style, text, len(items), contents)


def _items(draft: Draft, contents: Plan, paragraphs: int) -> list[Item]:
    """Ordinary paragraphs with the clauses and near misses among them, some inside another paragraph."""
    rng = draft.rng
    special = draft.clause_items(contents)
    inside = [item for item in special if not OWN_HEAD.match(item.text) and rng.random() < EMBEDDED]
    alone = [item for item in special if all(item is not other for other in inside)]
    topics = draft.bank.topics[draft.instrument]
    core, others = [t for t in topics if t.core], [t for t in topics if not t.core]
    rng.shuffle(others)
    topic_count = len(others) if rng.random() < LONG_FORM else max(0, paragraphs - len(core) - len(alone))
    items = [draft.topic_item(topic) for topic in [*core, *others[:topic_count]]]
    for item in inside:
        hosts = [host for host in items if host.place == item.place and host.topic]
        if not hosts:
            alone.append(item)
            continue
        host = rng.choice(hosts)
        host.text = " ".join([host.text, item.text] if rng.random() < 0.6 else [item.text, host.text])
    return [*items, *alone]


def _ordered(draft: Draft, items: list[Item]) -> list[Item]:
    """By parts, core topics first in each, or in no order at all."""
    draft.rng.shuffle(items)
    if draft.rng.random() < SHUFFLED:
        return items
    places = PLACES[draft.instrument]
    core = [topic.name for topic in draft.bank.topics[draft.instrument] if topic.core]
    rank = {name: i for i, name in enumerate(core)}
    return sorted(items, key=lambda item: (places.index(item.place), rank.get(item.topic, len(core))))


def _numbered(draft: Draft, items: Sequence[Item]) -> list[str]:
    """Paragraphs with numbers, headings and references to one another."""
    rng = draft.rng
    layout = rng.choice(LAYOUTS)
    in_parts = [items[i].place for i in range(len(items)) if i == 0 or items[i].place != items[i - 1].place]
    if len(in_parts) > len(set(in_parts)):
        layout = "captions" if layout == "captions" else "plain"
    numbering = rng.choice(MANNERS if len(in_parts) == len(set(in_parts)) else MANNERS[:3])
    labels = _labels(items, in_parts)
    numbers = {item.topic: numbering[1].format(**label) for item, label in zip(items, labels, strict=True)}
    headings = draft.bank.frames[draft.instrument]["headings"]
    lines = []
    for item, label in zip(items, labels, strict=True):
        if layout == "parts" and label["k"] == 1:
            heading = fill(headings[item.place], draft.terms.slots, rng, formal=True)
            lines.append(f"{ROMAN[label['p'] - 1]}. {heading.upper()}")
        text = REFERENCE.sub(lambda found: numbers[found[1]], item.text)
        if layout == "captions" and not OWN_HEAD.match(text):
            text = f"{item.caption}. {text}"
        if draft.style == "scanned":
            text = scanned(text, rng, keep=draft.terms.names())
        lines.append(f"{numbering[0].format(**label)} {text}")
    return lines


def _labels(items: Sequence[Item], in_parts: Sequence[str]) -> list[dict[str, int]]:
    """Running number, number of the part and number within it."""
    labels: list[dict[str, int]] = []
    for n, item in enumerate(items, 1):
        same = bool(labels) and items[n - 2].place == item.place
        k = labels[-1]["k"] + 1 if same else 1
        labels.append({"n": n, "p": in_parts.index(item.place) + 1, "k": k})
    return labels
