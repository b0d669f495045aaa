"""vLLM: arguments, names and units by rule. Real engines are in test_real.py."""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.checkpoints.model_files import CheckpointFolder
from harness.checkpoints.resolve import resolve
from harness.engines.config import EngineConfig
from harness.engines.vllm import environment as vllm_environment
from harness.engines.vllm import memory
from harness.engines.vllm import model as vllm_model
from harness.engines.vllm.engine import VllmEngine
from harness.engines.vllm.model import adapter_id, llm_arguments, lora_name, lora_slots
from harness.engines.vllm.units import ServedUnits, units_of
from harness.errors import EngineFailed, UserError
from harness.schema import CANDIDATE, Checkpoint, Request, Sampling
from tests.support.adapters import change_json, save_adapter, without_weights

TELEMETRY = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "RAY_USAGE_STATS_ENABLED": "0"}


def arguments(**changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "dtype": "bfloat16", "max_model_len": 64, "kv_cache_bytes": 1 << 20, "on_cpu": True, "adapters": 0,
        "max_lora_rank": 16,
    }  # fmt: skip
    return llm_arguments(Path("/m"), **(given | changes))


def test_a_cache_size_is_always_given_and_cpu_runs_eager() -> None:
    plain = arguments()
    assert plain["kv_cache_memory_bytes"] == 1 << 20 and plain["enforce_eager"] is True
    assert not any("lora" in name for name in plain)
    assert plain["max_num_seqs"] == memory.MAX_SEQS_CPU
    assert arguments(on_cpu=False)["enforce_eager"] is False and "max_num_seqs" not in arguments(on_cpu=False)


def test_the_batch_can_be_limited_on_any_device() -> None:
    assert arguments(max_num_seqs=3)["max_num_seqs"] == arguments(on_cpu=False, max_num_seqs=3)["max_num_seqs"] == 3


def test_vllm_is_given_the_number_of_devices_and_a_tokenizer_where_they_are_needed() -> None:
    assert arguments(tensor_parallel=4)["tensor_parallel_size"] == 4 and "tensor_parallel_size" not in arguments()
    assert arguments()["skip_tokenizer_init"] is True and arguments(structured=True)["skip_tokenizer_init"] is False


def test_a_model_with_longrope_is_another_one_where_vllm_computes_with_its_long_factors(
    tmp_path: Path, tiny_model: Path
) -> None:
    """Such as Phi-3-mini-128k: by max_model_len, vLLM takes one set of factors for all prompts, short ones too."""

    def facts(folder: Path, longest: int) -> dict[str, str]:
        served = ServedUnits(
            ("vllm", "0"), {CANDIDATE: resolve(str(folder))}, longest, EngineConfig(), on_cpu=True, is_invariant=False,
            machine=None,
        )  # fmt: skip
        return served.facts(CANDIDATE)

    folder = tmp_path / "phi"
    shutil.copytree(tiny_model, folder)
    older = {"rope_parameters": None, "rope_scaling": {"type": "longrope"}}
    change_json(folder / "config.json", original_max_position_embeddings=128, **older)
    assert facts(folder, 128) == facts(tiny_model, 128) == facts(tiny_model, 129)
    assert facts(folder, 129) == facts(folder, 128) | {"rope": "long"}


@pytest.mark.parametrize("adapters", [1, 2, 5])
def test_one_lora_slot_always_stays_empty(adapters: int) -> None:
    assert lora_slots(adapters) == adapters + 1
    assert arguments(adapters=adapters)["max_loras"] == adapters + 1
    assert arguments(adapters=adapters, on_cpu=False)["max_loras"] == adapters + 1


def test_lora_on_a_cpu_bounds_the_batch() -> None:
    assert arguments(adapters=1)["max_num_batched_tokens"] == 512
    assert "max_num_batched_tokens" not in arguments(adapters=1, on_cpu=False)
    assert arguments(adapters=1, max_lora_rank=64)["max_lora_rank"] == 64


def test_adapters_of_one_name_and_other_bytes_get_other_names_and_ids(tiny_model: Path, tmp_path: Path) -> None:
    one = resolve(str(save_adapter(tiny_model, tmp_path / "x" / "adapter", seed=1)))
    other = resolve(str(save_adapter(tiny_model, tmp_path / "y" / "adapter", seed=2)))
    names = [lora_name(one), lora_name(other)]
    assert all(name.startswith("adapter-") for name in names) and names[0] != names[1]
    assert adapter_id(names[0]) != adapter_id(names[1]) and min(map(adapter_id, names)) >= 1
    assert adapter_id(names[0]) == adapter_id(lora_name(one))
    change_json(tmp_path / "x" / "adapter" / "adapter_config.json", lora_alpha=99)
    assert lora_name(resolve(str(tmp_path / "x" / "adapter"))) != names[0]


def checkpoint(name: str, base: str = "b", adapter: str | None = None) -> Checkpoint:
    kind = "adapter" if adapter else "model"
    return Checkpoint(
        name=name, kind=kind, path=f"/{base}", digest=f"{base}{adapter}", base_digest=base, adapter_digest=adapter
    )  # type: ignore[arg-type]


def test_each_distinct_set_of_weights_is_served_once_with_the_baseline_first() -> None:
    given = {
        "tuned": checkpoint("t", adapter="x"), "twin": checkpoint("t", adapter="x"), "other": checkpoint("o", base="c"),
        "baseline": checkpoint("b"),
    }  # fmt: skip
    merged = units_of(given, {"tuned": "merged", "twin": "merged", "other": "plain", "baseline": "plain"})
    assert [(u.plain, u.merged) for u in merged] == [
        (("baseline",), False), (("tuned", "twin"), True), (("other",), False),
    ]  # fmt: skip
    shared = units_of(given, {"tuned": "lora", "twin": "lora", "other": "plain", "baseline": "plain"})
    assert [(u.plain, list(u.adapters)) for u in shared] == [(("baseline",), ["tuned", "twin"]), (("other",), [])]


def test_a_model_that_lacks_a_weight_is_refused_before_vllm_reads_it(tiny_model: Path, tmp_path: Path) -> None:
    """vLLM joins query, key and value, and does not tell that one of them is missing."""
    folder = without_weights(tiny_model, tmp_path / "broken", "model.layers.0.self_attn.q_proj.weight")
    engine = VllmEngine({CANDIDATE: resolve(str(folder))}, 64, EngineConfig(), on_cpu=True)
    asked = Request(key="a", ids=(5,), sampling=Sampling(max_tokens=4), variant=CANDIDATE)
    with pytest.raises(UserError, match=r"broken: its files lack 1 weight of the model, such as model\.layers\.0\."):
        list(engine.generate([asked]))


def test_an_adapter_that_vllm_would_apply_otherwise_than_peft_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    """vLLM applies every tensor of the file, PEFT those that adapter_config.json names."""
    adapter = save_adapter(tiny_model, tmp_path / "part", target_modules=["q_proj", "v_proj"])
    change_json(adapter / "adapter_config.json", target_modules=["q_proj"])
    engine = VllmEngine({CANDIDATE: resolve(str(adapter))}, 64, EngineConfig(lora="force"), on_cpu=True)
    asked = Request(key="a", ids=(5,), sampling=Sampling(max_tokens=4), variant=CANDIDATE)
    with pytest.raises(UserError, match=r"part: its base has no place for 4 tensors of the adapter"):
        list(engine.generate([asked]))


def test_a_quantised_model_is_said_to_be_unchecked(tiny_model: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_model, tmp_path / "packed"))
    change_json(folder / "config.json", quantization_config={"quant_method": "awq"})
    said: list[str] = []
    engine = VllmEngine({CANDIDATE: resolve(str(folder))}, 64, EngineConfig(say=said.append), on_cpu=True)
    engine.served.check_weights(engine.served.units[0])
    assert said == [f"{folder}: missing weights were not looked for: its weights are quantised (config.json)"]


def test_telemetry_is_off_whatever_the_user_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in TELEMETRY:
        monkeypatch.setenv(name, "other")
    for name in (
        *vllm_environment.QUIET,
        "VLLM_CPU_OMP_THREADS_BIND",
        vllm_environment.IN_PROCESS,
        vllm_environment.WAIT_POLICY,
    ):
        monkeypatch.setenv(name, "kept")
    vllm_environment.prepare(cpu=True)
    assert {name: os.environ[name] for name in TELEMETRY} == TELEMETRY
    assert os.environ["VLLM_LOGGING_LEVEL"] == "kept" and os.environ[vllm_environment.IN_PROCESS] == "kept"


@pytest.mark.parametrize(("policy", "torch_loaded", "in_process"), [
    ("PASSIVE", True, True), (None, True, False), (None, False, True),
])  # fmt: skip
def test_vllm_shares_the_process_where_waiting_threads_can_be_made_to_sleep(
    policy: str | None, torch_loaded: bool, in_process: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (vllm_environment.IN_PROCESS, vllm_environment.WAIT_POLICY):
        monkeypatch.setenv(name, "restored after the test")
        monkeypatch.delenv(name)
    for name in (*TELEMETRY, *vllm_environment.QUIET, "VLLM_CPU_OMP_THREADS_BIND"):
        monkeypatch.setenv(name, "restored after the test")
    if policy:
        monkeypatch.setenv(vllm_environment.WAIT_POLICY, policy)
    if torch_loaded:
        monkeypatch.setitem(sys.modules, "torch", sys)
    else:
        monkeypatch.delitem(sys.modules, "torch", raising=False)
    vllm_environment.prepare(cpu=True)
    assert vllm_environment.in_process() is in_process
    assert os.environ[vllm_environment.WAIT_POLICY] == "PASSIVE"


def test_the_hub_is_closed_only_while_an_engine_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with vllm_environment.starting():
        assert os.environ["HF_HUB_OFFLINE"] == "1"
    assert "HF_HUB_OFFLINE" not in os.environ


def test_a_token_of_the_embedded_model_takes_the_known_cache_bytes() -> None:
    """SmolLM2-135M: keys and values, 30 layers, 3 KV heads of 64, 2 bytes; Llama-3.1-8B: 131,072 (32 x 8 x 128)."""
    smol = {
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "head_dim": 64,
        "hidden_size": 576,
    }
    assert memory.bytes_per_token(smol, "bfloat16") == 2 * 30 * 3 * 64 * 2 == 23_040
    llama = {"num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "hidden_size": 4096}
    assert memory.bytes_per_token({"text_config": llama}, "bfloat16") == 131_072


@pytest.mark.parametrize("names", [("n_layer", "n_head", "n_embd"), ("n_layers", "n_heads", "d_model")])
def test_gpt_2_and_mpt_name_their_sizes_otherwise(names: tuple[str, ...]) -> None:
    """Keys and values of 12 layers of width 768, 2 bytes."""
    sizes = dict(zip(names, (12, 12, 768), strict=True))
    assert memory.bytes_per_token(sizes, "bfloat16") == 2 * 12 * 768 * 2


def test_a_prompt_that_no_memory_holds_is_refused_before_the_start(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert memory.kv_cache_bytes(CheckpointFolder(tiny_model), "float32", 64, on_cpu=True) > 0
    monkeypatch.setattr(memory, "free_memory_bytes", lambda: 2500)
    with pytest.raises(EngineFailed, match="GiB of KV cache"):
        memory.kv_cache_bytes(CheckpointFolder(tiny_model), "float32", 64, on_cpu=True)


def test_no_source_asks_for_prompt_log_probabilities() -> None:
    asked = vllm_model.sampling_arguments(Sampling(max_tokens=1, logprobs=True, logprob_ids=(1,)))
    assert asked and not any("prompt" in name for name in asked)
