"""Write chat rows for training and validation, and validation cases, with the suite's own prompt.

python -m evalsuites.public.plain_english.build_training --out DIR

The rows come from services and documents that are not in the suite, and no summary is one that the suite
expects. They are few, so `own_pairs.toml` adds passages of invented services.
"""

import random
import tomllib
from pathlib import Path

from evalsuites.public import data
from evalsuites.public.plain_english.cases import cases
from evalsuites.training_rows import fill
from harness.schema import Case

OWN = 291
"""Rows of invented services in the training rows: each passage once."""
FOLDER = Path(__file__).parent


def training_cases(split: str, seed: int, own: int = OWN) -> list[Case]:
    """The cases of a split that the suite does not ask, shuffled; for training with `own` of invented services."""
    data.refuse_test(split)
    drawn = [*cases(split), *(own_cases(own, seed) if split == "train" else [])]
    random.Random(f"{split} {seed}").shuffle(drawn)
    return drawn


def own_cases(count: int, seed: int) -> list[Case]:
    """Passages of invented services with their summaries, phrase by phrase in turn."""
    bank = tomllib.loads((FOLDER / "own_pairs.toml").read_text("utf-8"))
    rng = random.Random(f"own {seed}")
    made = []
    for at in range(count):
        pair = bank["pair"][at % len(bank["pair"])]
        values = {name: rng.choice(pool) for name, pool in bank["pools"].items()}
        passage, summary = (fill(pair[part], values, rng) for part in ("passage", "summary"))
        made.append(Case(id=f"own-{at}", input={"document": passage}, expected=[summary], cluster=values["service"]))
    return made


def answer(case: Case) -> str:
    """A person's summary, with capitals at the start of its sentences, which the data has lost."""
    return ". ".join(part[:1].upper() + part[1:] for part in case.expected[0].split(". "))


def write(out: Path, seed: int, own: int = OWN) -> dict[str, int]:
    """Write all training rows, `own` of them of invented services, and all validation rows and cases, into `out`."""
    drawn = {split: training_cases(split, seed, own) for split in data.SPLITS}
    return data.write_training_files(out, FOLDER, drawn, answer)


if __name__ == "__main__":
    data.training_command(
        "Training rows from passages that the suite does not ask about.",
        write,
        {
            "own": (OWN, "training rows of invented services"),
            "seed": (0, "another seed gives another order"),
        },
    )
