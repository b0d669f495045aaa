"""Two rules without understanding: values that the source lacks, and the novelty of runs of words.

python -m evalsuites.general.claims.floor

prints what each scores, where it sees the whole source and where it sees the passages of the prompt.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

from evalsuites.general.claims import cases, sets
from evalsuites.general.claims.pairs import NOT_SUPPORTED, SUPPORTED, Pair
from evalsuites.general.claims.split import TRAIN
from harness.errors import UserError
from harness.schema import Case
from harness.scoring.text.passages import passages, text_of

SIZE, THRESHOLD = 1, 0.35
"""Words in a run, and the share of new runs from which a sentence is called unsupported: the best on training pairs."""
SIZES = (1, 2, 3)
STEPS = 20

Rule = Callable[[str, str], bool]
"""Whether a sentence, given its source first, is called unsupported."""


def naive(source: str, sentence: str) -> bool:
    """Whether the source lacks a number, or a capitalised word inside the sentence."""
    return bool(sets.known_truth().has_new_value(sentence.splitlines()[-1], source))


def novel(source: str, sentence: str) -> bool:
    """Whether the source lacks at least THRESHOLD of the sentence's runs of SIZE words."""
    return novelty(source, sentence, SIZE) >= THRESHOLD


def novelty(source: str, sentence: str, size: int) -> float:
    """Return the share of the sentence's runs of `size` words that its source lacks."""
    runs = list(_runs(sentence.splitlines()[-1], size))
    return sum(run not in _runs_of(source, size) for run in runs) / max(1, len(runs))


@lru_cache(maxsize=64)
def _runs_of(source: str, size: int) -> frozenset[tuple[str, ...]]:
    return frozenset(_runs(source, size))


def _runs(text: str, size: int) -> Iterator[tuple[str, ...]]:
    words = re.findall(r"[^\W_]+", text.lower())
    return (tuple(words[at : at + size]) for at in range(len(words) - size + 1))


RULES: dict[str, Rule] = {"naive rule": naive, "novelty of runs": novel}


def rule_floor(case: Case) -> str:
    """Answer by the novelty of runs in the passages of the prompt."""
    return cases.ANSWERS[NOT_SUPPORTED if novel(case.document, case.input["sentence"]) else SUPPORTED]


def balanced_accuracy(pairs: Iterable[Pair], rule: Rule, count: int | None = None) -> tuple[float, float, float]:
    """Return balanced accuracy, recall of the supported and recall of the others, on the source or `count` passages."""
    found: dict[bool, list[bool]] = {True: [], False: []}
    for pair in pairs:
        source = pair.source if count is None else text_of(passages(pair.source, pair.sentence, count))
        found[pair.label == SUPPORTED].append(rule(source, pair.sentence) == (pair.label != SUPPORTED))
    good, bad = (sum(found[label]) / max(1, len(found[label])) for label in (True, False))
    return (good + bad) / 2, good, bad


def chosen(pairs: list[Pair]) -> tuple[int, float]:
    """Return the length of runs and the threshold with the best balanced accuracy."""
    options = [(size, step / STEPS) for size in SIZES for step in range(1, STEPS + 1)]
    shares = {size: [novelty(pair.source, pair.sentence, size) for pair in pairs] for size in SIZES}
    good = [pair.label == SUPPORTED for pair in pairs]

    def value(option: tuple[int, float]) -> float:
        flagged = [share >= option[1] for share in shares[option[0]]]
        right = [sum(f != g for f, g in zip(flagged, good, strict=True) if g == label) for label in (True, False)]
        return right[0] / good.count(True) + right[1] / good.count(False)

    return max(options, key=value)


def main() -> None:
    """Print the choice on training pairs and what the rules score on the suite's pairs."""
    trained = [pair for listed in cases.twins(TRAIN).values() for both in listed for pair in both]
    print(
        f"novelty of runs: {chosen(sorted(trained, key=lambda pair: pair.document))} on {len(trained)} training pairs"
    )
    suite = sorted(cases.suite_pairs(), key=lambda pair: pair.document)
    for name, rule in RULES.items():
        for count in (None, cases.WINDOWS):
            seen = "the whole source" if count is None else f"{count} passages"
            values = balanced_accuracy(suite, rule, count)
            print(f"{name}, {seen}: balanced accuracy {values[0]:.3f}, recall Yes {values[1]:.3f}, No {values[2]:.3f}")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(str(error)) from None
