"""How many answers of 100 words each rule scorer judges in a second, on one core.

    python benchmarks/scorer_speed.py [--answers 2000] [--rounds 3]

Answers are made by rule: plain words with five facts of all kinds among them, half of them not in the source, so that
every rule is tried. No two answers are equal, and forty share a source, as cases of one contract do. The
time is the process's own, and the figure is the best of the rounds, as other work on the machine can only slow one
down. The target is 5,000 a second.
"""

import argparse
import platform
import random
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent)]

from harness.schema import Case, Completion  # noqa: E402
from harness.scoring import answers, citations, clauses, facts, figures, names, quotes  # noqa: E402

TARGET = 5_000
WORDS = 100
SHARED = 40
"""Answers to one source."""
SCORERS = {
    "citations": citations.fabricated,
    "figures": figures.ungrounded,
    "names": names.fabricated,
    "quotes": quotes.fabricated,
    "facts (all of these)": facts.fabricated,
    "clauses": clauses.found,
    "answers": answers.accepted,
    "given": answers.given,
}
SENTENCE = (
    "the tenant shall keep roof and gutters in good repair at its own cost unless notice was given before that day or "
    "the landlord agreed to mend them after a storm which neither of them could foresee"
)
PLAIN = SENTENCE.split()
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


def fact(draw: random.Random) -> str:
    """One fact of some kind."""
    return draw.choice(FACTS).format(draw.randrange(10, 400), draw.randrange(1, 28), draw.choice(NAMES))


def passage(draw: random.Random, words: int) -> str:
    """Plain words with a fact at every twentieth place, in sentences."""
    parts: list[str] = []
    while len(" ".join(parts).split()) < words:
        parts += [*(draw.choice(PLAIN) for _ in range(APART)), fact(draw) + draw.choice([",", ".", ".\n", " and"])]
    return " ".join(" ".join(parts).split(" ")[: words + 5])


def made(answers_wanted: int) -> list[tuple[Case, Completion]]:
    """Cases with an answer each; half of an answer repeats its source."""
    draw = random.Random(3)
    pairs = []
    for number in range(answers_wanted):
        if number % SHARED == 0:
            document = passage(draw, 400)
        at = draw.randrange(max(1, len(document) - 300))
        text = f"{passage(draw, WORDS // 2)} {' '.join(document[at : at + 400].split()[: WORDS // 2])}"
        case = Case(
            id=f"c{number}",
            input={"document": document, "question": "What is due?", "clause_types": "Insurance; Repair; Holdover"},
            expected=["Insurance"],
            cluster=f"d{number // SHARED}",
            tags={"state": "Georgia"},
        )
        pairs.append((case, Completion(key="k", text=text, finish_reason="stop", prompt_tokens=0, output_tokens=0)))
    return pairs


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    pairs = made(options.answers)
    words = sum(len(completion.text.split()) for _, completion in pairs) / len(pairs)
    stated = sum(len(facts.judge(case, completion)) for case, completion in pairs) / len(pairs)
    print(
        f"{len(pairs)} answers of {words:.0f} words and {stated:.1f} facts on average; "
        f"Python {platform.python_version()}, one core"
    )
    slow = 0
    for name, function in SCORERS.items():
        best = float("inf")
        for _ in range(options.rounds):
            start = time.process_time()
            for case, completion in pairs:
                function(case, completion)
            best = min(best, time.process_time() - start)
        rate = len(pairs) / best
        slow += rate < TARGET
        print(f"{name:22} {rate:9,.0f} answers a second{'' if rate >= TARGET else f'   below {TARGET:,}'}")
    return min(slow, 1)


if __name__ == "__main__":
    raise SystemExit(main())
