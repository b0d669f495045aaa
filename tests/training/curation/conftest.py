"""Plain English rows of no meaning, and a suite of such texts in a folder of its own."""

import json
import random

import pytest

from tests.support.mini import write_suite
from training.curation.check import Sample
from training.data.rows import TrainingRow, Turn

TEXT = (
    "the tenant shall keep premises clean and pay rent on first day of each month to owner at office named below "
    "unless both agree in writing that another place will serve better while repairs are made by skilled workers who "
    "bring their own tools water heat light are part price garden gate must stay closed after dark no animal may live "
    "here without leave from house committee which meets every second week during spring summer autumn winter"
)
WORDS = TEXT.split()
TEST = '''"""Mini: texts are read."""

from harness import Suite
from harness.scoring import short_answer

suite = Suite(scorers=[short_answer.accepted], max_tokens=8)
'''


def prose(seed, size=60):
    """Words of no meaning, all of them in any list of English; two seeds share no run of eight words."""
    rng = random.Random(seed)
    return " ".join(rng.choice(WORDS) for _ in range(size)).capitalize() + "."


def edited(text, *places):
    """The text with the words at these places changed."""
    text_words = text.split()
    for place in places:
        text_words[place] = "garden" if text_words[place] != "garden" else "office"
    return " ".join(text_words)


def row(prompt, answer="none"):
    return {"instruction": prompt, "output": answer}


def sample(*rows):
    """A sample of (prompt, answer) pairs, or prompts whose answer is none."""
    pairs = [one if isinstance(one, tuple) else (one, "none") for one in rows]
    return Sample(
        [
            TrainingRow(
                messages=[Turn(role="user", content=p), Turn(role="assistant", content=a)], where=f"a.jsonl:{n}"
            )
            for n, (p, a) in enumerate(pairs, 1)
        ]
    )


def case(number, text, cluster=None, **more):
    return {"id": f"c{number}", "input": {"document": text, **more}, "expected": [], "cluster": cluster or f"k{number}"}


@pytest.fixture
def write_cases(tmp_path):
    """Write a suite with these cases below a folder of its own; returns the folder for `--suite`."""

    def write(cases):
        folder = write_suite(tmp_path / "project", cases, TEST)
        return str(folder.parents[1])

    return write


@pytest.fixture
def write_jsonl(tmp_path):
    def write(rows, name="train.jsonl"):
        path = tmp_path / name
        path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in rows), "utf-8")
        return path

    return write
