"""Run by test_killed.py: `tunegate compare` in many processes, killed at given moments; what each did, as JSON.

Importing torch costs more than a run of a tiny model, so one process imports everything and forks the others. Each
writes down what it asks of the model before it asks. A moment is a number of answers on the disk, then some CPU time
of the process that is killed, so that it comes at the same point on a busy machine.
"""

import gc
import json
import multiprocessing
import os
import random
import signal
import sqlite3
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

CONTEXT = multiprocessing.get_context("fork")
AT_ONCE = 4
"""Requests in a batch: few, so that a life has many moments."""
LOADING_S = 0.4
"""CPU seconds from the start of a life within which some are killed; a part of what loading takes."""
WAIT_S = 900.0
"""Longest wait of two lives for each other."""
BATCH_S = 0.03
"""CPU seconds, about what a batch takes."""


def moments(total: int, seed: int) -> list[tuple[int, float]]:
    """Ten: two while it loads, seven among the answers, one when the last answer is there and the run is not sealed."""
    draw = random.Random(seed)
    among = sorted(draw.sample(range(AT_ONCE, total, AT_ONCE), 7))
    loading = [(0, draw.uniform(0, LOADING_S)) for _ in range(2)]
    return [*loading, *((target, draw.uniform(0, BATCH_S)) for target in among), (total, draw.uniform(0, BATCH_S))]


def life(root: Path, name: str, moment: tuple[int, float] | None, together: Any) -> None:
    """One process: `tunegate compare`, as the command line starts it, until its moment or its end."""
    from harness.engines.cache import CacheFile
    from harness.engines.transformers import generate
    from tunegate.cli import main as cli_main

    os.chdir(root)
    printed = os.open(f"{name}.log", os.O_WRONLY | os.O_CREAT)
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    asked = os.open(f"{name}.asked", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    run, add = generate.Answerer.run, CacheFile.add
    count = len(kept_keys(root))
    reached = threading.Event()

    def noting(self: Any, model: Any, batch: Any) -> Any:
        keys = [request.key for request in batch if not request.key.startswith("canary")]
        if keys and together is not None:
            together.wait()
        os.write(asked, "".join(f"{key}\n" for key in keys).encode())
        return run(self, model, batch)

    def counting(self: Any, completion: Any) -> None:
        nonlocal count
        add(self, completion)
        count += 1
        if moment and count >= moment[0]:
            reached.set()

    generate.BATCH = AT_ONCE
    generate.Answerer.run = noting  # type: ignore[method-assign]
    CacheFile.add = counting  # type: ignore[method-assign]
    if moment:
        if count >= moment[0]:
            reached.set()
        threading.Thread(target=kill, args=(reached, moment[1]), daemon=True).start()
    sys.argv = ["tunegate", "compare", "model", "adapter", "--engine", "transformers", "--runs", name]
    cli_main.main()


def kill(reached: threading.Event, cpu_s: float) -> None:
    """kill -9 of this process, so much of its own CPU time after the moment was reached."""
    reached.wait()
    end = time.process_time() + cpu_s
    while time.process_time() < end:
        time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGKILL)


def kept_keys(root: Path) -> list[str]:
    """Keys of all completions on the disk."""
    keys: list[str] = []
    for file in (root / "cache" / "answers").glob("*/completions.sqlite"):
        with closing(sqlite3.connect(file, timeout=60)) as database:
            keys += [key for (key,) in database.execute("SELECT key FROM completions")]
    return keys


def lines_of(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def live(root: Path, name: str, moment: tuple[int, float] | None = None) -> dict[str, Any]:
    """One life, to its end; what it did."""
    before = kept_keys(root)
    process = CONTEXT.Process(target=life, args=(root, name, moment, None))
    process.start()
    process.join()
    return {
        "exit": process.exitcode,
        "before": before,
        "asked": lines_of(root / f"{name}.asked"),
        "after": kept_keys(root),
        "said": lines_of(root / f"{name}.log"),
    }


def two_at_once(root: Path) -> list[dict[str, Any]]:
    """Two lives that wait for each other before each of their first batches."""
    together = CONTEXT.Barrier(2, timeout=WAIT_S)
    names = ("one", "other")
    processes = [CONTEXT.Process(target=life, args=(root, name, None, together)) for name in names]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return [
        {"exit": p.exitcode, "asked": lines_of(root / f"{n}.asked"), "said": lines_of(root / f"{n}.log")}
        for n, p in zip(names, processes, strict=True)
    ]


def main() -> None:
    """Folders `unbroken`, `killed` and `two` below the given one hold a model, an adapter and suites."""
    from harness.threads import before_torch

    before_torch()
    import peft  # noqa: F401 - for all lives
    import scipy.stats  # noqa: F401
    import transformers
    import transformers.generation  # noqa: F401

    import reports  # noqa: F401

    gc.freeze()  # Engines collect garbage when they close: not over the objects of all libraries.
    root, seed = Path(sys.argv[1]), int(sys.argv[2])
    found: dict[str, Any] = {}
    os.environ["TUNEGATE_CACHE"] = str(root / "unbroken" / "cache")
    found["unbroken"] = live(root / "unbroken", "whole")
    os.environ["TUNEGATE_CACHE"] = str(root / "killed" / "cache")
    planned = moments(len(found["unbroken"]["after"]), seed)
    found["killed"] = [live(root / "killed", f"life{i}", moment) for i, moment in enumerate(planned)]
    found["last"] = live(root / "killed", "last")
    os.environ["TUNEGATE_CACHE"] = str(root / "two" / "cache")
    found["two"] = two_at_once(root / "two")
    (root / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
