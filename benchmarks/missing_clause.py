"""Does a gate catch an adapter that was never shown one clause? Trains two adapters that differ in that alone.

    python benchmarks/missing_clause.py [--clause holdover] [--rows 1600] [--out runs/missing]

Both adapters see the same rows in the same order; from the second one's answers the clause is left out. Each is judged
by `pytest evalsuites/legal/clauses`, once with the suite's own gates and once with the gate of that clause alone;
printed are both exit codes and the clause's verdict. About 25 minutes on two CPU cores; interrupted, it continues where
it stopped.
"""

import argparse
import subprocess
import sys
from functools import partial
from pathlib import Path

from evalsuites.legal.clauses import cases
from evalsuites.legal.clauses.floor import PATTERNS
from evalsuites.training_rows import write_split
from harness.evaluation.plan import default_checkpoint
from harness.runs.folder import load_verdicts
from training import train
from tunegate.demo import ROWS, SEED, VALIDATION_ROWS, config_text

SUITE = Path(cases.__file__).parent
THRESHOLD = 0.5


def adapter(folder: Path, rows: int, without: str | None) -> Path:
    """Write the rows and the configuration, train, return the training run."""
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    pairs = partial(cases.training_pairs, without=without)
    for split, name, count in (("train", "train", rows), ("dev", "validation", VALIDATION_ROWS)):
        write_split(SUITE, split, data / f"{name}.jsonl", count, SEED, cases.eval_cases, pairs)
    config = folder / "train.toml"
    config.write_text(config_text(config, default_checkpoint(), folder / "runs"))
    return train(config)


def bars(folder: Path, clause: str) -> Path:
    """A gates.toml that holds the bar of one clause and nothing else."""
    file = folder / "bars" / "legal" / "clauses" / "gates.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(
        f'[objective]\ntext = "No {clause} clause is lost."\n\n[[gate]]\nmetric = "clause_recall"\n'
        f'rule = "at_least"\nvalue = {THRESHOLD}\nslice = "clause"\nvalues = ["{clause}"]\n'
    )
    return folder / "bars"


def judged(runs: Path, trained: Path, *options: str) -> tuple[int, Path]:
    """pytest's exit code and the run it wrote; answers are asked once and reused."""
    command = [sys.executable, "-m", "pytest", "evalsuites/legal/clauses", "-q", "--checkpoint", str(trained)]
    done = subprocess.run(
        [*command, "--eval-runs", str(runs.resolve()), *options], stdout=subprocess.DEVNULL, check=False
    )
    return done.returncode, max(p for p in runs.iterdir() if p.is_dir())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clause", default="holdover", choices=tuple(PATTERNS))
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--out", type=Path, default=Path("runs/missing"))
    args = parser.parse_args()
    print(f"gate: clause_recall at least {THRESHOLD} on the slice clause={args.clause}", flush=True)
    for label, without in (("all labels", None), ("label removed", args.clause)):
        folder = args.out / label.replace(" ", "-")
        trained = adapter(folder, args.rows, without)
        every, _ = judged(folder / "whole", trained)
        alone, run = judged(folder / "alone", trained, "--eval-bars", str(bars(folder, args.clause).resolve()))
        (verdict,) = load_verdicts(run)
        said = f"{verdict.outcome.upper()}, {verdict.reason}"
        print(f"{label:<15}exit {alone} with this gate alone, {every} with all: {said}", flush=True)


if __name__ == "__main__":
    main()
