"""Find grammar mistakes in English by a short list of exact rules.

Rules: a word written twice; "a" before a clear vowel and "an" before a clear consonant; "could of"; "its" for "it's"
and the reverse before words that decide it; "your welcome"; "more then"; a contraction without its apostrophe;
"i" for "I"; a sentence that starts in lower case; a space before a comma or full stop; no mark at the end.

They miss agreement ("partners is"), tense, wrong words ("form" for "from"), most "its" and "your", commas, fragments,
run-on sentences and every "a" before "h" and "u", where the sound decides. In exchange they are exact: a rule covers
only forms that no known correct sentence has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from operator import eq
from typing import NamedTuple

from harness.scoring.text.phrases import starting

FUNCTION_WORDS = (
    "is|are|and|or|as|at|in|on|if|of|it|its|also|after|over|into|unless|until|all|an|any|i|am|each|either|ever|every"
)
"""Words before which "a" may be the name of a letter ("plan a is")."""
TWICE = frozenset({"had", "that", "very", "so", "no", "bye", "ha", "far", "really", "many", "long", "knock", "is"})
"""Words that a correct sentence may have twice in a row."""
SHORTENED = (
    "e.g i.e etc vs approx no nos st dr mr mrs ms jr sr inc ltd co a.m p.m am pm dept est fig min max oz lb lbs ft qt "
    "u.s u.k cf al tel ext hr hrs vol"
)
ABBREVIATIONS = frozenset(SHORTENED.split())
"""Abbreviations with a full stop inside a sentence."""
VERBS = ("do", "does", "did", "is", "are", "was", "were", "has", "have", "could", "would", "should", "must")
MISSING_APOSTROPHE = {
    **{f"{verb}nt": f"{verb}n't" for verb in VERBS},
    **{"youre": "you're", "theyre": "they're", "youve": "you've", "weve": "we've", "theyve": "they've"},
    **{"youll": "you'll", "theyll": "they'll", "thats": "that's", "theres": "there's", "whats": "what's"},
}
LAST_LINE_WORDS = 6
ONE_LINE_WORDS = 4
"""Fewest words of a last line that needs a mark at its end; fewer are a signature or a heading."""


class Slip(NamedTuple):
    """One mistake: its range, rule and reason, and what to write instead."""

    start: int
    end: int
    rule: str
    why: str
    use: str


class GrammarRule(NamedTuple):
    """A rule with a pattern; tried if the text has one of the words of `needs`, or always without any."""

    id: str
    pattern: re.Pattern[str]
    why: str
    use: Callable[[re.Match[str]], str]
    needs: frozenset[str] = frozenset()


RULES = [
    GrammarRule(
        "a_before_vowel",
        re.compile(
            r"(?:a(?<![\w'.&/-]a)|A(?:(?<=[.!?]\sA)|(?<![\s\S]A)))\s+"
            rf"(?!(?i:{FUNCTION_WORDS}|ones?|once|ouija|eu\w*|ewes?)(?!\w))[AEIOaeio][a-z]+"
        ),
        "'an' precedes a vowel",
        lambda m: re.sub(r"^([aA])", r"\1n", m[0]),
        frozenset({"a"}),
    ),
    GrammarRule(
        "an_before_consonant",
        re.compile(r"[aA](?<![\w'.&/-].)n\s+(?=[a-z]*[aeiou])[bcdfgjklmnpqrstvwyz][a-z]+(?![\w'-])"),
        "'a' precedes a consonant",
        lambda m: m[0][0] + m[0][2:],
        frozenset({"an"}),
    ),
    GrammarRule(
        "modal_of",
        re.compile(r"\b([Cc]ould|[Ww]ould|[Ss]hould|[Mm]ust) of\b(?! (?:course|necessity|late)\b)"),
        "'have' follows it",
        lambda m: f"{m[1]} have",
        frozenset({"of"}),
    ),
    GrammarRule(
        "its_for_it_is",
        re.compile(r"([Ii])(?<!\w.)ts(?= (?:a|an|the|not|been|our|your|my|going)\b(?!-))"),
        "'it is' needs its apostrophe",
        lambda m: f"{m[1]}t's",
        frozenset({"its"}),
    ),
    GrammarRule(
        "it_is_own",
        re.compile(r"\b([Ii])t's own\b"),
        "no apostrophe here",
        lambda m: f"{m[1]}ts own",
        frozenset({"it's"}),
    ),
    GrammarRule(
        "your_welcome",
        re.compile(r"\b([Yy])our welcome(?=\s*(?:[.!,]|$))"),
        "'you are' is meant",
        lambda m: f"{m[1]}ou're welcome",
        frozenset({"your"}),
    ),
    GrammarRule(
        "more_then",
        re.compile(r"\b([Mm]ore|[Ll]ess|[Ff]ewer|[Bb]etter|[Rr]ather) then\b(?=\s+\w)"),
        "'than' compares",
        lambda m: f"{m[1]} than",
        frozenset({"then"}),
    ),
    GrammarRule(
        "missing_apostrophe",
        re.compile(rf"{starting(MISSING_APOSTROPHE)}\b"),
        "its apostrophe is missing",
        lambda m: MISSING_APOSTROPHE[m[0].lower()],
        frozenset(MISSING_APOSTROPHE),
    ),
    GrammarRule(
        "small_i",
        re.compile(r"(?<![\w.'/&(-])i(?=\s+[a-z]|'(?:m|ll|ve|d)\b)"),
        "'I' is a capital",
        lambda m: "I",
        frozenset({"i"}),
    ),
    GrammarRule("space_before_mark", re.compile(r"[,;!?.](?<=\w[ \t].)(?=\s|$)"), "no space before it", lambda m: m[0]),
]
DOUBLED = re.compile(r"(?<![\w'-])([A-Za-z]+)\s+(\1)(?![\w'-])", re.I)
SENTENCE = re.compile(r"[.!?](?<![.!?].)\s+([a-z][\w'-]*)")
OPENING = re.compile(r"\s*([a-z][\w'-]*)(?![\w@./])")
LAST_WORD = re.compile(r"[\w.]+$")
ENDED = re.compile(r"""[.!?:…]["'”’)\]]*\W*$""")


def slips(
    text: str, tokens: Sequence[str], words: Collection[str], small_names: Collection[str] = (), whole: bool = True
) -> Iterator[Slip]:
    """Yield the mistakes of an even text; `tokens` are its lower-case words in order, `words` the same as a set.

    Names in `small_names` always start in lower case. The end of a text is judged only if it is `whole`, not cut.
    """
    for rule in RULES:
        if not rule.needs or not rule.needs.isdisjoint(words):
            for match in rule.pattern.finditer(text):
                yield Slip(match.start(), match.end(), rule.id, rule.why, rule.use(match))
    if any(map(eq, tokens, islice(tokens, 1, None))):
        yield from _doubled(text)
    yield from _small_starts(text, small_names)
    if whole:
        yield from _no_end(text)


def _doubled(text: str) -> Iterator[Slip]:
    for match in DOUBLED.finditer(text):
        name = match[1][:1].isupper() and match[2][:1].isupper()
        if match[1].lower() not in TWICE and not name:
            yield Slip(match.start(), match.end(), "doubled_word", "the word is written twice", match[1])


def _small_starts(text: str, small_names: Collection[str]) -> Iterator[Slip]:
    opening = OPENING.match(text)
    starts = [opening] if opening else []
    for match in SENTENCE.finditer(text):
        before = LAST_WORD.search(text, max(0, match.start() - 20), match.start())
        stem = before[0].lower() if before else ""
        if stem not in ABBREVIATIONS and len(stem) != 1:
            starts.append(match)
    for match in starts:
        word = match[1]
        if word == word.lower() and word not in small_names:
            use = word[0].upper() + word[1:]
            yield Slip(match.start(1), match.end(1), "small_start", "a sentence starts with a capital", use)


def _no_end(text: str) -> Iterator[Slip]:
    lines = text.rstrip().rsplit("\n", 1)
    size = len(lines[-1].split())
    needs = LAST_LINE_WORDS if len(lines) > 1 else ONE_LINE_WORDS
    if size >= needs and not ENDED.search(lines[-1]):
        end = len(text.rstrip())
        start = end - len(lines[-1].split()[-1])
        yield Slip(start, end, "no_end_mark", "a sentence ends with a mark", text[start:end] + ".")
