"""vLLM: arguments, names and units by rule; then real engines on the embedded model, in processes of their own."""

import json
import os
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from harness.checkpoints.model_files import CheckpointFolder
from harness.checkpoints.resolve import embedded_model, resolve
from harness.engines.vllm import environment as vllm_environment
from harness.engines.vllm import memory
from harness.engines.vllm import model as vllm_model
from harness.engines.vllm.engine import units_of
from harness.engines.vllm.model import adapter_id, llm_arguments, lora_name, lora_slots
from harness.errors import EngineFailed
from harness.schema import Checkpoint, Sampling
from tests.support import command
from tests.support.adapters import change_json, save_adapter
from tests.support.vllm_scenarios import CHOICES

ROOT = Path(__file__).parents[4]
LIMIT_S = 900
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


def scenario(name: str, root: Path, **env: str) -> dict[str, Any]:
    """Run tests/support/vllm_scenarios.py and read its findings."""
    models = embedded_model().parent
    (root / "cache").mkdir()
    (root / "cache" / "models").symlink_to(models)
    out = root / "found.json"
    words = ["-m", "tests.support.vllm_scenarios", str(root), str(out), name]
    given = os.environ | {"TUNEGATE_CACHE": str(root / "cache"), "OMP_WAIT_POLICY": "PASSIVE"} | env
    done = command.run(*words, cwd=ROOT, env=given, timeout=LIMIT_S)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(out.read_text())
    return found


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Everything that one process can do, one engine after the other."""
    return scenario("shared", tmp_path_factory.mktemp("shared"), VLLM_ENABLE_V1_MULTIPROCESSING="0")


@pytest.fixture(scope="session")
def own(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return scenario("own", tmp_path_factory.mktemp("own"), VLLM_ENABLE_V1_MULTIPROCESSING="1")


@pytest.fixture(scope="session")
def structured(shared: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = shared["structured"]
    return found


def rows(found: dict[str, Any], variant: str) -> list[tuple[list[int], list[float]]]:
    return [(a["ids"], a["logprobs"]) for k, a in sorted(found["answers"].items()) if k.startswith(f"{variant}-")]


@pytest.mark.slow
@pytest.mark.vllm
class TestRealEngine:
    def test_base_rows_beside_one_adapter_equal_a_plain_engine_and_the_adapter_differs(self, shared: Any) -> None:
        assert rows(shared["one"], "baseline") == rows(shared["plain"], "baseline")
        assert rows(shared["one"], "a0") != rows(shared["plain"], "baseline")
        assert shared["one"]["describe"]["arguments"]["baseline,a0"]["max_loras"] == 2

    def test_two_adapters_and_the_base_keep_apart(self, shared: Any) -> None:
        assert rows(shared["two"], "baseline") == rows(shared["plain"], "baseline")
        assert rows(shared["two"], "a0") == rows(shared["one"], "a0")
        assert rows(shared["two"], "a1") not in (rows(shared["two"], "a0"), rows(shared["two"], "baseline"))
        assert shared["two"]["describe"]["arguments"]["baseline,a1,a0"]["max_loras"] == 3

    def test_without_the_spare_slot_the_canary_stops_the_run(self, shared: Any) -> None:
        said = shared["no_spare_slot"]["error"]
        assert said.startswith("CanaryFailed: canary: the answers of 'baseline' change by ")
        assert float(said.split("change by ")[1].split()[0]) > 0.01

    @pytest.mark.parametrize("way", ["zero_lora", "zero_merged"])
    def test_an_adapter_without_effect_stops_the_run_and_is_named(self, way: str, shared: Any) -> None:
        assert shared[way]["error"].startswith("CanaryFailed: canary: 'zero' (")

    def test_the_canary_is_in_the_record_of_every_adapter(self, shared: Any) -> None:
        for way, variants in (("one", ["a0"]), ("two", ["a0", "a1"]), ("merged", ["a0"])):
            assert sorted(shared[way]["describe"]["canary"]) == variants

    def test_on_a_cpu_an_adapter_is_merged_and_says_why_and_how_far_it_is(self, shared: Any) -> None:
        record = shared["merged"]["describe"]
        assert record["ways"] == {"baseline": "plain", "a0": "merged"} and record["why_merged"]["a0"]
        assert "of 272 tensors changed; next-token log probabilities differ" in record["merges"]["a0"]
        assert rows(shared["merged"], "baseline") == rows(shared["plain"], "baseline")
        assert rows(shared["merged"], "a0") != rows(shared["plain"], "baseline")

    def test_answers_come_baseline_first_whatever_the_order_of_the_checkpoints(self, shared: Any) -> None:
        for way in ("two", "merged"):
            variants = [key.split("-")[0] for key in shared[way]["answers"]]
            assert variants[:4] == ["baseline"] * 4
            assert [v for v, _ in groupby(variants)] == list(dict.fromkeys(variants))

    def test_an_impossible_request_fails_alone(self, shared: Any) -> None:
        first = shared["odd"]["first"]
        for key, reason in (("long", "90 tokens"), ("empty", "no tokens"), ("foreign", "vocabulary")):
            assert first[key]["finish"] == "error" and reason in first[key]["error"]
        assert rows({"answers": first}, "baseline") == rows(shared["plain"], "baseline")

    def test_an_engine_that_was_stopped_half_way_answers_again(self, shared: Any) -> None:
        assert rows({"answers": shared["odd"]["again"]}, "baseline") == rows(shared["plain"], "baseline")

    def test_an_answer_that_ends_itself_says_so_and_leaves_out_the_end_token(self, shared: Any) -> None:
        ended = [a for a in shared["plain"]["answers"].values() if a["finish"] == "stop"]
        assert ended and all(a["ids"][-1] == 2 and "<|im_end|>" not in a["text"] for a in ended)

    def test_tokens_and_seconds_of_each_variant_are_recorded(self, shared: Any) -> None:
        for scenario, variants in (("plain", ["baseline"]), ("merged", ["a0", "baseline"]), ("two", None)):
            found = shared[scenario]["describe"]["throughput"]
            assert sorted(found["variants"]) == (variants or ["a0", "a1", "baseline"])
            for variant, spent in found["variants"].items():
                assert spent["prompt_tokens"] == sum(map(len, shared["prompts"]))
                assert spent["generated_tokens"] == sum(len(ids) for ids, _ in rows(shared[scenario], variant))
                assert spent["answer_s"] > 0 and spent["generated_tokens_per_s"] > 0
                assert spent["cached_prompt_tokens"] == 0 and spent["utilisation"] is None
            assert found["loads"] == (2 if scenario == "merged" else 1) and found["load_s"] > 0
            assert found["why_no_utilisation"] == "the peak of a processor is not known"
            assert found["peak_memory_bytes"] > 269_060_552  # the model's weights

    def test_every_request_is_sampled_as_asked_and_none_wants_prompt_log_probabilities(self, shared: Any) -> None:
        assert len(shared["sampled"]) >= 4 * 7
        assert all("prompt_logprobs=None" in s and "temperature=0.0" in s for s in shared["sampled"])
        assert all("max_tokens=12" in s or "max_tokens=8" in s for s in shared["sampled"])

    @pytest.mark.usefixtures("one_thread")
    def test_all_engines_read_the_same_ids_and_agree_on_the_answers(self, shared: Any) -> None:
        """transformers in fp32 on the same weights is the reference; a near tie may fall the other way in bf16."""
        import torch
        from transformers import AutoModelForCausalLM

        model = AutoModelForCausalLM.from_pretrained(embedded_model(), dtype=torch.float32).eval()
        assert all(prompt[:1] == [1] and prompt[1] != 1 for prompt in shared["prompts"])
        for i, prompt in enumerate(shared["prompts"]):
            answer = shared["plain"]["answers"][f"baseline-{i}"]
            ids = torch.tensor([prompt + answer["ids"]])
            with torch.inference_mode():
                scores = torch.log_softmax(model(input_ids=ids).logits[0, len(prompt) - 1 : -1], dim=-1)
            expected = [float(scores[j, token]) for j, token in enumerate(answer["ids"])]
            assert answer["logprobs"] == pytest.approx(expected, abs=0.25)
            assert all(float(scores[j].max()) - expected[j] < 0.25 for j in range(len(expected)))
            options = shared["odd"]["options"][f"baseline-{i}"]
            assert options == pytest.approx([float(scores[0, o]) for o in shared["odd"]["option_ids"]], abs=0.5)

    def test_out_of_memory_in_this_process_frees_the_model_before_it_is_loaded_again(self, shared: Any) -> None:
        found = shared["starved"]
        first, again = ({key: a["ids"] for key, a in found[when].items()} for when in ("first", "again"))
        assert first == again and len(first) == 4
        assert found["freed"] == [True]
        assert sum("ran out of memory with 4 requests at once" in line for line in found["said"]) == 1

    def test_processes_of_their_own_give_equal_answers_of_base_and_adapter(self, own: Any, shared: Any) -> None:
        assert own["separate"]["describe"]["in_process"] is False
        throughput = own["separate"]["describe"]["throughput"]
        assert throughput["peak_memory_bytes"] > 2 * 269_060_552  # the parent's libraries and the child's weights
        for variant in ("baseline", "a0"):
            found, expected = rows(own["separate"], variant), rows(shared["one"], variant)
            assert [ids for ids, _ in found] == [ids for ids, _ in expected]

    def test_the_engine_processes_have_the_telemetry_switches(self, own: Any, shared: Any) -> None:
        assert own["environments"]
        for environment in (*own["environments"], own["environment"], shared["environment"]):
            assert {name: environment.get(name) for name in TELEMETRY} == TELEMETRY
        assert all(environment["HF_HUB_OFFLINE"] == "1" for environment in own["environments"])


@pytest.mark.slow
@pytest.mark.vllm
class TestStructure:
    def test_an_answer_held_to_choices_is_one_of_them(self, structured: Any) -> None:
        held = {k: a for k, a in structured["held"].items() if k.startswith("choice")}
        assert len(held) == 4 and all(a["text"] in CHOICES and a["finish"] == "stop" for a in held.values())
        free = [a["text"] for a in structured["first"].values()]
        assert not set(free) & set(CHOICES)

    def test_an_answer_held_to_a_schema_is_json_that_obeys_it_with_fields_in_its_order(self, structured: Any) -> None:
        held = {k: a for k, a in structured["held"].items() if k.startswith("json")}
        assert len(held) == 4
        for answer in held.values():
            found = json.loads(answer["text"])
            assert list(found) == ["reason", "answer"] and found["answer"] in ("yes", "no")
            assert len(found["reason"]) <= 12 and answer["finish"] == "stop"

    def test_the_tokenizer_loads_where_it_is_needed_and_changes_no_free_answer(self, structured: Any) -> None:
        assert structured["without"] is True
        assert structured["describe"]["arguments"]["baseline"]["skip_tokenizer_init"] is False
        first, again = ({"answers": structured[when]} for when in ("first", "again"))
        assert rows(first, "baseline") == rows(again, "baseline") and len(rows(first, "baseline")) == 4

    def test_prompt_tokens_that_were_computed_before_are_counted(self, structured: Any) -> None:
        before = structured["before"]
        whole = structured["describe"]["throughput"]["whole"]
        # Four prompts of one whole block each are asked three times by one engine; then one of four blocks, twice.
        assert before["cached_prompt_tokens"] == 4 * 2 * memory.BLOCK_TOKENS_CPU
        assert whole["cached_prompt_tokens"] - before["cached_prompt_tokens"] == 4 * memory.BLOCK_TOKENS_CPU
        assert whole["prompt_tokens"] - before["prompt_tokens"] == 2 * 141
        assert whole["prefix_hit_rate"] == round(whole["cached_prompt_tokens"] / whole["prompt_tokens"], 4)
