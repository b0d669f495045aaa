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
from harness.errors import UserError
from harness.schema import Case

OWN = 291
"""Rows of invented services in the training rows: each passage once."""
FOLDER = Path(__file__).parent


def training_cases(split: str, seed: int, own: int = OWN, held_out: int = 0) -> list[Case]:
    """The cases of a split that the suite does not ask, shuffled.

    `own` of invented services are for training, but for `held_out` of them, which are for validation.
    """
    data.refuse_test(split)
    made = own_cases(own, seed)
    validation = {case.id for case in random.Random(f"held out {seed}").sample(made, held_out)}
    drawn = [*cases(split), *(case for case in made if (case.id in validation) == (split == "validation"))]
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


def write(out: Path, seed: int, own: int = OWN, held_out: int = 0) -> dict[str, int]:
    """Write all training rows and all validation rows and cases into `out` (see `training_cases`)."""
    if not 0 <= held_out <= own:
        raise UserError(f"--held-out is {held_out}: expected 0 to {own}, the rows of invented services")
    drawn = {split: training_cases(split, seed, own, held_out) for split in data.SPLITS}
    return data.write_training_files(out, FOLDER, drawn, answer)


if __name__ == "__main__":
    data.training_command(
        "Training rows from passages that the suite does not ask about.",
        write,
        {
            "own": (OWN, "rows of invented services"),
            "held-out": (0, "of them, rows for validation in place of training"),
            "seed": (0, "another seed gives another order"),
        },
    )
