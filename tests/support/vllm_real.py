"""Run real vLLM engines for test_real.py: each scenario in a fork of this process, which loads vLLM once.

`python -m tests.support.vllm_real ROOT SCENARIO...` writes what a scenario found into ROOT/SCENARIO.json.
"""

import gc
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.checkpoints.resolve import embedded_model
from harness.engines.vllm import environment
from tests.support import family_scenarios, vllm_faults, vllm_parallel, vllm_scenarios

OWN_PROCESSES = {"own", "faults"}
SCENARIOS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "shared": vllm_scenarios.shared_process,
    "own": vllm_scenarios.own_process,
    "faults": vllm_faults.faults,
    "parallel": vllm_parallel.parallel,
    "families": family_scenarios.families,
}


def main() -> None:
    root, models = Path(sys.argv[1]), embedded_model().parent
    environment.prepare(cpu=True)
    import peft  # noqa: F401
    from vllm import LLM  # noqa: F401

    gc.freeze()  # Engines collect garbage when they close: not over the objects of all libraries.
    for name in sys.argv[2:]:
        pid = os.fork()
        if pid == 0:
            cache = root / name / "cache"
            cache.mkdir(parents=True)
            (cache / "models").symlink_to(models)
            os.environ |= {"TUNEGATE_CACHE": str(cache), environment.IN_PROCESS: str(int(name in OWN_PROCESSES))}
            (root / f"{name}.json").write_text(json.dumps(SCENARIOS[name](root / name)), "utf-8")
            return
        if os.waitpid(pid, 0)[1] != 0:
            sys.exit(f"{name} failed")


if __name__ == "__main__":
    main()
