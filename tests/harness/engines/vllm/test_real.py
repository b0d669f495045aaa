"""Real vLLM engines: answers, adapters, structure, faults, two devices, and all model families against transformers.

All engines start in forks of one process (tests/support/vllm_real.py), because loading vLLM takes longer than a test.
"""

import json
import os
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from harness.checkpoints.resolve import embedded_model
from harness.engines.vllm import memory
from harness.formatting import count
from tests.support import command
from tests.support.family_scenarios import FAMILIES, WAYS
from tests.support.vllm_faults import PATIENCE_S
from tests.support.vllm_real import SCENARIOS
from tests.support.vllm_scenarios import CHOICES

ROOT = Path(__file__).parents[4]
LIMIT_S = 3600
ASKED = [f"first{number}" for number in range(4)]
"""Requests to the process that is killed, in their order."""
TELEMETRY = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "RAY_USAGE_STATS_ENABLED": "0"}
pytestmark = [pytest.mark.slow, pytest.mark.vllm]


@pytest.fixture(scope="module")
def scenarios(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What each scenario of the chosen tests found."""
    root = tmp_path_factory.mktemp("vllm")
    chosen = {name for item in request.session.items for name in getattr(item, "fixturenames", ())}
    names = [name for name in SCENARIOS if name in chosen]
    # A process that sets its title writes over its environment in /proc, unless SPT_NOENV is set.
    given = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "SPT_NOENV": "1"}
    done = command.run("-m", "tests.support.vllm_real", str(root), *names, cwd=ROOT, env=given, timeout=LIMIT_S)
    assert done.returncode == 0, done.stderr[-3000:]
    return {name: json.loads((root / f"{name}.json").read_text("utf-8")) for name in names}


def of_scenario(name: str) -> Any:
    """A fixture with what one scenario found."""
    return pytest.fixture(scope="module", name=name)(lambda scenarios: scenarios[name])


shared, own, faults, parallel, families = map(of_scenario, ("shared", "own", "faults", "parallel", "families"))


@pytest.fixture(scope="module")
def structured(shared: dict[str, Any]) -> Any:
    return shared["structured"]


def rows(found: dict[str, Any], variant: str) -> list[tuple[list[int], list[float]]]:
    return [(a["ids"], a["logprobs"]) for k, a in sorted(found["answers"].items()) if k.startswith(f"{variant}-")]


class TestRealEngine:
    def test_base_rows_beside_two_adapters_equal_a_plain_engine_and_all_three_keep_apart(self, shared: Any) -> None:
        base, a0, a1 = (rows(shared["two"], variant) for variant in ("baseline", "a0", "a1"))
        assert base == rows(shared["plain"], "baseline")
        assert a0 != base and a1 not in (a0, base)
        assert shared["two"]["describe"]["arguments"]["baseline,a1,a0"]["max_loras"] == 3

    def test_without_the_spare_slot_the_canary_stops_the_run(self, shared: Any) -> None:
        said = shared["no_spare_slot"]["error"]
        assert said.startswith("CanaryFailed: canary: the answers of 'baseline' change by ")
        assert float(said.split("change by ")[1].split()[0]) > 0.01

    def test_an_adapter_without_effect_stops_the_run_and_is_named(self, shared: Any) -> None:
        assert shared["zero"]["error"].startswith("CanaryFailed: canary: 'zero' (")

    def test_the_canary_is_in_the_record_of_every_adapter(self, shared: Any) -> None:
        for way, variants in (("two", ["a0", "a1"]), ("merged", ["a0"])):
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
        assert len(shared["sampled"]) >= 4 * 5
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

    def test_processes_of_their_own_give_the_same_answers_of_base_and_of_an_adapter_alone(
        self, own: Any, shared: Any
    ) -> None:
        assert own["separate"]["describe"]["arguments"]["baseline,a0"]["max_loras"] == 2
        assert own["separate"]["describe"]["in_process"] is False
        throughput = own["separate"]["describe"]["throughput"]
        assert throughput["peak_memory_bytes"] > 2 * 269_060_552  # the parent's libraries and the child's weights
        for variant in ("baseline", "a0"):
            found, expected = rows(own["separate"], variant), rows(shared["two"], variant)
            assert [ids for ids, _ in found] == [ids for ids, _ in expected]

    def test_the_engine_processes_have_the_telemetry_switches(self, own: Any, shared: Any) -> None:
        assert own["environments"]
        for environment in (*own["environments"], own["environment"], shared["environment"]):
            assert {name: environment.get(name) for name in TELEMETRY} == TELEMETRY
        assert all(environment["HF_HUB_OFFLINE"] == "1" for environment in own["environments"])


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


class TestRealProcesses:
    def test_a_killed_process_ends_as_one_line_and_finished_answers_are_kept(self, faults: Any) -> None:
        killed = faults["killed"]
        finished = len(killed["found"])  # Usually one; on a busy machine another is done before the signal comes.
        assert 1 <= finished < 4 and killed["found"] == ASKED[:finished]
        assert killed["error"] == (
            f"EngineFailed: vllm stopped with {count(4 - finished, 'answer')} to go: its process was killed (signal "
            "9), manually or by the system. Finished answers are kept; re-run to resume"
        )

    def test_the_next_start_asks_only_the_rest(self, faults: Any) -> None:
        resumed = faults["resumed"]
        assert resumed["reached"] == ASKED[len(faults["killed"]["found"]) :] and resumed["error"] == ""
        assert sorted(resumed["found"]) == ASKED

    def test_out_of_memory_in_the_engines_process_halves_the_batch(self, faults: Any) -> None:
        starved = faults["starved"]
        assert sorted(starved["found"]) == [f"starved{i}" for i in range(6)] and starved["error"] == ""
        halved = [line for line in starved["said"] if "ran out of memory" in line]
        assert len(halved) == 1 and "with 4 requests at once (RuntimeError: " in halved[0]
        assert "can't allocate memory" in halved[0] and "for 2; finished answers are kept" in halved[0]

    def test_a_hung_process_is_given_up_and_ended(self, faults: Any) -> None:
        hung = faults["hung"]
        assert 1 <= len(hung["found"]) < 6
        left = 6 - len(hung["found"])
        assert hung["error"].startswith(
            f"EngineFailed: vllm stopped with {left} answers to go: no token for {PATIENCE_S:.0f} s."
        )
        assert faults["left_behind"] == []

    def test_no_process_stays_defunct_while_the_session_goes_on(self, faults: Any) -> None:
        assert faults["killed"]["defunct"] == [] and faults["hung"]["defunct"] == []


def test_two_devices_give_the_tokens_of_one(parallel: Any) -> None:
    """On a CPU, where each worker takes a core; base and merged adapter, float32, greedy."""
    one, two = parallel["1"], parallel["2"]
    assert one["ids"] == two["ids"] and len(one["ids"]) == 6
    assert len({tuple(ids) for ids in one["ids"].values()}) > 2
    assert two["describe"]["device"] == "2 x cpu" and two["facts"]["tensor_parallel_size"] == "2"
    assert {a["tensor_parallel_size"] for a in two["describe"]["arguments"].values()} == {2}
    assert two["describe"]["canary"]["tuned"]["effect"] > 0 and parallel["workers left"] == []


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest, families: Any) -> dict[str, Any]:
    """The runs of one family."""
    runs: dict[str, Any] = families[request.param]
    return runs


def part(runs: dict[str, Any], way: str, what: str, variant: str = "") -> dict[str, Any]:
    return {key: a[what] for key, a in runs[way]["answers"].items() if key.startswith(variant)}


def test_both_engines_give_the_same_tokens_of_base_and_adapter(family: Any) -> None:
    """Greedy, float32; with transformers the adapter is both put on and merged."""
    tokens = part(family, "transformers", "ids")
    assert len(tokens) == 24 and all(len(set(ids)) > 1 for ids in tokens.values())
    assert part(family, "peft", "ids") == tokens
    assert part(family, "vllm", "ids") == tokens
    for what in ("text", "finish"):
        assert part(family, "vllm", what) == part(family, "transformers", what)


def test_every_engine_and_variant_receives_the_same_prompts(family: Any) -> None:
    by_variant = [[*part(family, way, "prompt", v).values()] for way in WAYS for v in ("baseline", "tuned")]
    assert all(sorted(prompts) == sorted(by_variant[0]) for prompts in by_variant)


def test_the_adapter_answers_otherwise_than_its_base(family: Any) -> None:
    base, tuned = (part(family, "vllm", "ids", variant) for variant in ("baseline", "tuned"))
    same = [key for key, ids in base.items() if tuned[key.replace("baseline", "tuned")] == ids]
    assert len(same) < len(base) / 2


@pytest.mark.parametrize("pair", ["apart", "own template"])
def test_models_with_other_prompts_get_the_same_tokens_of_both_engines(pair: str, families: Any) -> None:
    """Two families; an adapter with a chat template that is not its base's."""
    runs = families[pair]
    tokens = part(runs, "transformers", "ids")
    assert len(tokens) == 24 and all(len(set(ids)) > 1 for ids in tokens.values())
    for way in WAYS:
        assert part(runs, way, "ids") == tokens
        assert part(runs, way, "text") == part(runs, "transformers", "text")
        prompts = part(runs, way, "prompt")
        assert all(prompts[f"baseline c{i}"] != prompts[f"tuned c{i}"] for i in range(12))
        assert runs[way]["status"] == "finished" and not any(part(runs, way, "error").values())


@pytest.mark.parametrize("way", WAYS)
def test_the_run_is_whole(way: str, family: Any) -> None:
    made = family[way]
    assert made["status"] == "finished" and made["changed"] == [] and made["verdicts"] > 0
    assert all(a["error"] is None and a["scored"] for a in made["answers"].values())
    engine, served = made["engine"], {"peft": "lora", "transformers": "merged", "vllm": "merged"}[way]
    assert engine["dtype"] == "float32" and engine["generated"] == 24
    assert engine["ways"] == {"baseline": "plain", "tuned": served} and list(engine["canary"]) == ["tuned"]
