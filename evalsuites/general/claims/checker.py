"""Install a trained checker: choose its threshold on validation sentences, and record how it is asked.

python -m evalsuites.general.claims.checker ADAPTER --windows 1
"""

import argparse
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from evalsuites.general.claims.cases import ANSWERS, training_pairs
from evalsuites.general.claims.pairs import SUPPORTED
from harness.errors import UserError
from harness.schema import Case
from harness.scoring import checker, support_models, support_readers
from harness.scoring.text.passages import TOKENS
from harness.suites.prompts import load_template, messages

ALARMS = 0.10
"""Most false alarms on supported sentences, as the gate says."""
ROWS = 800
"""Validation rows; half of them are supported."""


def how_asked(windows: int, threshold: float = 0.5) -> checker.CheckerRecord:
    """Return how the suite's prompt asks a checker that was trained on rows with so many passages."""
    template = load_template(Path(__file__).with_name("prompt.jinja"))
    placeholders = {"document": "{source}", "sentence": "{sentence}"}
    system, user = messages(template, Case(id="checker", input=placeholders, expected=[], cluster="checker"))
    return checker.CheckerRecord(
        system=system["content"],
        prompt=user["content"],
        answers=tuple(ANSWERS.values()),
        windows=windows,
        window_tokens=TOKENS,
        threshold=threshold,
    )


def chosen_threshold(adapter: Path, how: checker.CheckerRecord, rows: int) -> float:
    """Return the threshold at which ALARMS of the supported validation sentences are called unsupported."""
    made = training_pairs("dev", rows, 0, windows=how.windows)
    pairs = [(case.document, str(case.input["sentence"])) for case, answer in made if answer == ANSWERS[SUPPORTED]]
    model = support_models.choose(adapter, prompt=how.prompt, answers=how.answers, system=how.system)
    found = support_readers.load(model).support(pairs)
    return checker.threshold_at(ALARMS, [support or 0.0 for support in found])


def install(adapter: Path, windows: int, out: Path, rows: int = ROWS) -> checker.CheckerRecord:
    """Copy an adapter to `out` with its record, in place of the checker there; return the record."""
    how = how_asked(windows)
    how = how_asked(windows, chosen_threshold(adapter, how, rows))
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix="making-") as work:
        copy = Path(work) / "checker"
        shutil.copytree(adapter, copy)
        sealed = checker.record(copy, how)
        shutil.rmtree(out, ignore_errors=True)
        copy.rename(out)
    return sealed


def main(arguments: Sequence[str] | None = None) -> None:
    """Install the checker and print its folder, digest and threshold."""
    parser = argparse.ArgumentParser(description="Install a trained checker of general/claims.")
    parser.add_argument("adapter", type=Path, help="adapter folder of the training run")
    parser.add_argument("--windows", type=int, required=True, help="passages in each prompt of its training rows")
    parser.add_argument("--rows", type=int, default=ROWS, help="validation rows that choose the threshold")
    args = parser.parse_args(arguments)
    try:
        sealed = install(args.adapter.absolute(), args.windows, checker.installed(), args.rows)
    except UserError as error:
        parser.exit(error.exit_code, f"{error}\n")
    print(f"checker: {checker.installed()}")
    print(f"digest: {sealed.digest}")
    print(f"threshold: {sealed.threshold:.3f}, for {ALARMS:.0%} false alarms on validation sentences")


if __name__ == "__main__":
    main()
