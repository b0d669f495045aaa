"""Does a gate catch an adapter that was never shown one clause? Trains two adapters that differ in that alone.

    python benchmarks/missing_clause.py [--clause "risk of loss"] [--rows 2400] [--out runs/missing]

Both adapters see the same rows in the same order; from the second one's answers the clause is left out. Each is judged
by `pytest evalsuites/legal/clauses`; printed are the clause's own gate and the exit codes. About 25 minutes on two
CPU cores; interrupted, it goes on where it stopped.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from evalsuites.legal.clauses.drafting import generate
from harness.demo import CONFIG, SEED, VALIDATION_ROWS
from harness.plan import default_checkpoint
from harness.store import load_verdicts
from training import train


def adapter(folder: Path, rows: int, without: str | None) -> Path:
    """Write the rows and the configuration, train, return the training run."""
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    generate.write("train", data / "train.jsonl", rows, SEED, without)
    generate.write("dev", data / "validation.jsonl", VALIDATION_ROWS, SEED, without)
    config = folder / "train.toml"
    config.write_text(
        CONFIG.format(path=config, base=default_checkpoint(), epochs=1, seed=SEED, runs=(folder / "runs").resolve())
    )
    return train(config)


def judged(folder: Path, trained: Path, clause: str) -> tuple[str, int]:
    """The clause's own verdict and pytest's exit code."""
    runs = folder / "evaluations"
    command = [sys.executable, "-m", "pytest", "evalsuites/legal/clauses", "-q", "--checkpoint", str(trained)]
    done = subprocess.run([*command, "--runs", str(runs.resolve())], stdout=subprocess.DEVNULL, check=False)
    latest = max(p for p in runs.iterdir() if p.is_dir())
    (verdict,) = [v for v in load_verdicts(latest) if v.slice_value == clause]
    return f"{verdict.outcome.upper():<13}{verdict.reason}", done.returncode


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clause", default="risk of loss", choices=tuple(generate.CLAUSES))
    parser.add_argument("--rows", type=int, default=2400)
    parser.add_argument("--out", type=Path, default=Path("runs/missing"))
    args = parser.parse_args()
    print(f"gate: clause_recall at least 0.5 on the slice clause={args.clause}")
    for label, without in (("all labels", None), ("label removed", args.clause)):
        folder = args.out / label.replace(" ", "-")
        verdict, code = judged(folder, adapter(folder, args.rows, without), args.clause)
        print(f"{label:<15}exit {code}  {verdict}")


if __name__ == "__main__":
    main()
