"""Run by vllm_real.py: each family's tiny model, compared with its adapter by both engines.

Two of the families are compared with each other, too, and one with its adapter under another chat template.

Every run is a whole one, as `tunegate compare` makes it; token ids are asked for beside the text.
"""

import functools
import shutil
from pathlib import Path
from typing import Any

from harness.engines.config import EngineConfig
from harness.evaluation import plan
from harness.evaluation.plan import Job, SuiteJob
from harness.evaluation.run import run
from harness.progress.progress import Progress
from harness.runs.folder import RunFolder, check_seal, load_run
from harness.schema import Sampling
from harness.suites.discovery import find_suites
from tests.conftest import save_tiny_model
from tests.support.adapters import enliven, save_adapter
from tests.support.mini import rows, write_suite

FAMILIES = ["llama3", "mistral", "mixtral", "qwen", "qwen3"]
WAYS = {"peft": ("transformers", "auto"), "transformers": ("transformers", "merge"), "vllm": ("vllm", "auto")}
"""Name -> engine and --lora."""
SHORT_TEMPLATE = "{% for m in messages %}{{ m['content'] }} {% endfor %}Answer:"
HEADS = {"num_attention_heads": 2, "num_key_value_heads": 1}
"""vLLM's attention on a CPU wants heads of 32 at least; the width stays."""


def compare(root: Path, base: Path, adapter: Path, engine: str, lora: str) -> dict[str, Any]:
    """One run: tokens, texts and prompts of all answers by variant and case, and what the engine says of itself."""
    (suite,) = find_suites([str(root / "evalsuites")])
    job = Job(
        suites=[SuiteJob(suite=suite, cases=suite.cases)],
        candidate=str(adapter),
        baseline=str(base),
        engine=EngineConfig(name=engine, use_cache=False, lora=lora),
    )
    made = load_run(run(job, RunFolder.create(root / "runs", engine), Progress()).path)
    return {
        "answers": {
            f"{r.variant} {r.case.id}": {
                "ids": r.completion.output_ids,
                "text": r.completion.text,
                "finish": r.completion.finish_reason,
                "error": r.completion.error,
                "prompt": r.prompt_hash,
                "scored": sorted(r.scores),
            }
            for r in made.records
        },
        "engine": made.manifest.engine,
        "status": made.manifest.status,
        "changed": check_seal(made.path),
        "verdicts": len(made.verdicts),
    }


def families(root: Path) -> dict[str, Any]:
    """The runs of all families and pairs."""
    plan.Sampling = functools.partial(Sampling, logprobs=True)  # type: ignore[misc,assignment]
    write_suite(root, rows(12))
    found = {}
    for family in FAMILIES:
        base = enliven(save_tiny_model(root / family / "plain", family, **HEADS), root / family / "base")
        adapter = save_adapter(base, root / family / "adapter")
        found[family] = {name: compare(root, base, adapter, *way) for name, way in WAYS.items()}
    one, other = (root / family / "base" for family in FAMILIES[:2])
    own = Path(shutil.copytree(root / FAMILIES[0] / "adapter", root / "own"))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(one / name, own / name)
    (own / "chat_template.jinja").write_text(SHORT_TEMPLATE)
    for pair, (tuned, baseline) in {"apart": (other, one), "own template": (own, one)}.items():
        found[pair] = {name: compare(root, baseline, tuned, *way) for name, way in WAYS.items()}
    return found
