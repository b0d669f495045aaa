"""Measures of how a text reads: paragraphs, sentences, repetition, vocabulary, function words, a trigram model."""

import math
import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from scipy.spatial.distance import jensenshannon

WORD = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:['’-][A-Za-z0-9]+)*|\d+(?:[.,]\d+)*")
MARKER = re.compile(
    r"\s*(?:\(?(?:[a-z]{1,2}|[ivx]+|[A-Z]|\d{1,2})\)\s|\d+(?:\.\d+)*\.?\s+\S|[A-Z]\.\s|[-*•#]+\s"
    r"|(?:Section|SECTION|Article|ARTICLE|Guideline|Schedule|SCHEDULE|Exhibit|EXHIBIT)\s+[\dIVXA-Z])"
)
"""What begins a paragraph although no blank line stands before it: a number, a letter, a bullet, a heading."""
TABLE_ROW = re.compile(r"^.*\|.*\|.*$|^\s*[-=_+| ]{4,}$", re.M)
LAYOUT_GAP = re.compile(r" {3,}(?=\S)")
"""CUAD's texts have runs of spaces where lines or paragraphs were."""
ENDS = re.compile(r"[.?!:;][\"”')\]]*\s*$")
SENTENCE_END = re.compile(r"(?<=[.?!])[\"”')\]]*\s+(?=[\"“(\[]?[A-Z])")
NO_END = re.compile(
    r"(?:\b(?:Inc|Corp|Co|Ltd|No|Nos|Sec|Art|St|Mr|Mrs|Ms|Dr|Jr|Sr|Ga|Ave|Attn|vs?|e\.g|i\.e|[A-Z])|^\W*[\w.]{1,6})\.$"
)
"""A full stop after an abbreviation, an initial or the number of a paragraph ends no sentence."""
LEAST_WORDS = 5
"""Words of a paragraph; shorter ones are headings, dates and signatures."""
Gram = tuple[str, ...]
GRAM = 8
WINDOW = 5000
"""Words that types are counted over, because a longer text has more of them."""
DISCOUNT = 0.75
FEDERALIST = (
    "a all also an and any are as at be been but by can do down even every for from had has have her his if in into is "
    "it its may more must my no not now of on one only or our shall should so some such than that the their then there "
    "things this to up upon was were what when which who will with would your"
)
FUNCTION_WORDS = FEDERALIST.split()
"""The 70 function words of Mosteller and Wallace, Inference and Disputed Authorship: The Federalist (1964)."""


def words(text: str) -> list[str]:
    """Return the words and numbers of a text in lower case."""
    return [word.lower() for word in WORD.findall(text)]


def paragraphs(text: str) -> list[str]:
    """Return the paragraphs of a text without table rows; lines that were wrapped are joined first.

    Where most lines end in mid-sentence the text is hard-wrapped, and a full stop at the end of a line means nothing.
    """
    prose = LAYOUT_GAP.sub("\n", TABLE_ROW.sub("", text.replace("\r", "")))
    blocks = [[line for line in block.split("\n") if line.strip()] for block in re.split(r"\n\s*\n", prose)]
    breaks = [bool(ENDS.search(line)) for block in blocks for line in block[:-1]]
    wrapped = sum(breaks) < len(breaks) / 2
    joined: list[str] = []
    for block in blocks:
        for number, line in enumerate(block):
            new = not number or MARKER.match(line) or (not wrapped and ENDS.search(block[number - 1]))
            if new:
                joined.append(line.strip())
            else:
                joined[-1] += " " + line.strip()
    return joined


def sentences(paragraph: str) -> list[str]:
    """Return the sentences of a paragraph."""
    parts: list[str] = []
    start = 0
    for end in SENTENCE_END.finditer(paragraph):
        if not NO_END.search(paragraph[start : end.start()]):
            parts.append(paragraph[start : end.start()])
            start = end.end()
    return [*parts, paragraph[start:]]


def mean_words(texts: Iterable[str], least: int = 1) -> float | None:
    """Return the mean number of words of the texts that have at least `least`, or None if none has."""
    lengths = [n for n in (len(words(text)) for text in texts) if n >= least]
    return sum(lengths) / len(lengths) if lengths else None


def shared_grams(documents: Iterable[str]) -> float | None:
    """Return the share of all runs of eight words whose wording two or more documents have."""
    runs: Counter[Gram] = Counter()
    holders: Counter[Gram] = Counter()
    for text in documents:
        listed = words(text)
        of_text = Counter(zip(*(listed[at:] for at in range(GRAM)), strict=False))
        runs.update(of_text)
        holders.update(of_text.keys())
    return sum(count for run, count in runs.items() if holders[run] > 1) / runs.total() if runs else None


def types(listed: Sequence[str]) -> float | None:
    """Return the mean number of different words over whole windows of 5,000 words, or None for a shorter text."""
    windows = [listed[at : at + WINDOW] for at in range(0, len(listed) - WINDOW + 1, WINDOW)]
    return sum(len(set(window)) for window in windows) / len(windows) if windows else None


def function_word_distance(listed: Sequence[str], reference: Sequence[str]) -> float | None:
    """Return the Jensen-Shannon distance, 0 to 1, between the uses of the 70 function words in two texts."""
    counts = [Counter(text) for text in (listed, reference)]
    shares = [[count[word] for word in FUNCTION_WORDS] for count in counts]
    return float(jensenshannon(*shares, base=2)) if all(map(sum, shares)) else None


class Trigrams:
    """An interpolated Kneser-Ney trigram model with one discount (Chen and Goodman 1999, equation 27).

    Words that the training text does not have share one place in the vocabulary.
    """

    def __init__(self, documents: Iterable[str]) -> None:
        self.trigrams: Counter[Gram] = Counter()
        for text in documents:
            self.trigrams.update(_trigrams(text))
        self.contexts, self.after_two = _totals(self.trigrams)
        self.bigrams: Counter[Gram] = Counter((b, c) for _, b, c in self.trigrams)
        self.middles, self.after_one = _totals(self.bigrams)
        self.unigrams = Counter(c for _, c in self.bigrams)
        self.vocabulary = len(self.unigrams) + 1

    def probability(self, a: str, b: str, c: str) -> float:
        """Return the probability of `c` after `a b`."""
        total = len(self.bigrams)
        free = DISCOUNT * len(self.unigrams) / total
        chance = max(self.unigrams[c] - DISCOUNT, 0) / total + free / self.vocabulary
        if seen := self.middles[(b,)]:
            chance = (max(self.bigrams[b, c] - DISCOUNT, 0) + DISCOUNT * self.after_one[(b,)] * chance) / seen
        if seen := self.contexts[a, b]:
            chance = (max(self.trigrams[a, b, c] - DISCOUNT, 0) + DISCOUNT * self.after_two[a, b] * chance) / seen
        return chance

    def perplexity(self, documents: Iterable[str]) -> float | None:
        """Return the perplexity of the documents' words, or None without any."""
        logs = [math.log(self.probability(*trigram)) for text in documents for trigram in _trigrams(text)]
        return math.exp(-sum(logs) / len(logs)) if logs else None


def _trigrams(text: str) -> Iterable[tuple[str, str, str]]:
    listed = ["<s>", "<s>", *words(text)]
    return zip(listed, listed[1:], listed[2:], strict=False)


def _totals(counts: Counter[Gram]) -> tuple[Counter[Gram], Counter[Gram]]:
    """Occurrences of each context, and the number of different words after it."""
    totals: Counter[Gram] = Counter()
    followers: Counter[Gram] = Counter()
    for gram, count in counts.items():
        totals[gram[:-1]] += count
        followers[gram[:-1]] += 1
    return totals, followers


def draw(documents: Sequence[str], size: int, most: int, seed: int) -> list[str]:
    """Draw documents until they have about `size` words, each shortened to `most` words of consecutive paragraphs."""
    rng = random.Random(seed)
    drawn, total = [], 0
    for text in rng.sample(documents, len(documents)):
        if total >= size:
            break
        part = excerpt(text, min(most, size - total), rng)
        drawn.append(part)
        total += len(words(part))
    return drawn


def excerpt(text: str, most: int, rng: random.Random) -> str:
    """Return consecutive paragraphs from a random place of a text, cut at `most` words; a shorter text as it is."""
    if len(words(text)) <= most:
        return text
    listed = paragraphs(text)
    sizes = [len(words(paragraph)) for paragraph in listed]
    starts = [at for at in range(len(listed)) if sum(sizes[at:]) >= most] or [0]
    chosen, left = [], most
    for paragraph in listed[rng.choice(starts) :]:
        ends = [match.end() for match in WORD.finditer(paragraph)]
        chosen.append(paragraph if len(ends) <= left else paragraph[: ends[left - 1]])
        left -= min(len(ends), left)
        if not left:
            break
    return "\n\n".join(chosen)
