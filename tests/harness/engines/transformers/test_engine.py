"""The transformers engine: padding changes nothing, the base stays itself, and every variant is its own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from harness.checkpoints.resolve import resolve
from harness.engines import open_engine
from harness.engines.config import EngineConfig
from harness.engines.transformers import generate
from harness.engines.transformers.engine import HfEngine
from harness.engines.transformers.generate import BATCH
from harness.errors import CanaryFailed, UserError
from harness.schema import Completion, Request, Sampling
from tests.support.adapters import enliven, save_adapter, without_weights

pytestmark = pytest.mark.usefixtures("own_cache", "one_thread")

PROMPTS = [(5, 17, 42), (7,), (9, 8, 7, 6, 5, 4, 3), (33, 12, 80, 4, 61), (20, 21)]
EXACT = EngineConfig(dtype="float32")


@pytest.fixture(scope="module")
def model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return enliven(tiny_model, tmp_path_factory.mktemp("model") / "lively")


@pytest.fixture(scope="module")
def adapter(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_adapter(model, tmp_path_factory.mktemp("adapter") / "a0")


def engine(folders: dict[str, Path], lora: str = "auto", max_model_len: int = 64) -> HfEngine:
    found = {variant: resolve(str(folder)) for variant, folder in folders.items()}
    opened = open_engine(structs.replace(EXACT, name="transformers", lora=lora), found, max_model_len=max_model_len)
    assert isinstance(opened, HfEngine)
    return opened


def requests(variants: Sequence[str] = ("baseline",), **sampling: Any) -> list[Request]:
    how = Sampling(**({"max_tokens": 6, "logprobs": True} | sampling))
    return [
        Request(key=f"{v}-{i}", ids=ids, sampling=how, variant=v) for v in variants for i, ids in enumerate(PROMPTS)
    ]


def by_key(found: Sequence[Completion]) -> dict[str, Completion]:
    return {c.key: c for c in found}


def greedy(model: Any, ids: Sequence[int], n: int) -> tuple[list[int], list[float]]:
    """The reference: whole forward passes without cache, padding or batch."""
    import torch

    row, logprobs = list(ids), []
    for _ in range(n):
        with torch.inference_mode():
            scores = torch.log_softmax(model(input_ids=torch.tensor([row])).logits[0, -1], dim=-1)
        row.append(int(scores.argmax()))
        logprobs.append(float(scores.max()))
    return row[len(ids) :], logprobs


def test_a_padded_batch_of_mixed_lengths_equals_one_by_one_greedy(model: Path) -> None:
    from transformers import AutoModelForCausalLM

    found = by_key(list(engine({"baseline": model}).generate(requests())))
    plain = AutoModelForCausalLM.from_pretrained(model).eval()
    for i, ids in enumerate(PROMPTS):
        expected, logprobs = greedy(plain, ids, 6)
        assert len(set(expected)) > 1
        assert list(found[f"baseline-{i}"].output_ids) == expected
        assert found[f"baseline-{i}"].logprobs == pytest.approx(logprobs, abs=1e-4)


def test_variants_share_one_load_of_the_base_and_the_base_stays_itself(
    model: Path, adapter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import transformers

    loads: list[str] = []
    real = transformers.AutoModelForCausalLM.from_pretrained
    monkeypatch.setattr(
        transformers.AutoModelForCausalLM,
        "from_pretrained",
        lambda path, **more: loads.append(path) or real(path, **more),
    )
    alone = by_key(list(engine({"baseline": model}).generate(requests())))
    loads.clear()
    both = engine({"baseline": model, "tuned": adapter})
    found = by_key(list(both.generate(requests(["tuned", "baseline"]))))
    assert len(loads) == 1
    for i in range(len(PROMPTS)):
        assert found[f"baseline-{i}"].logprobs == pytest.approx(alone[f"baseline-{i}"].logprobs, abs=1e-5)
        assert found[f"tuned-{i}"].logprobs != pytest.approx(alone[f"baseline-{i}"].logprobs, abs=1e-2)
    assert both.describe()["canary"]["tuned"]["effect"]["tuned"] > 0


@pytest.mark.parametrize(
    "changes", [{"init_lora_weights": "pissa"}, {"bias": "all"}, {"target_modules": ["q_proj", "lm_head"]}]
)
def test_an_adapter_that_changes_its_base_is_merged_and_the_baseline_stays_itself(
    changes: dict[str, Any], model: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    alone = by_key(list(engine({"baseline": model}).generate(requests())))
    folders = {"baseline": model, "tuned": save_adapter(model, tmp_path / "a0", **changes)}
    file = folders["tuned"] / "adapter_model.safetensors"  # With the whole head, if it has an adapter.
    save_file({n: t * (1.5 if "base_layer" in n else 1) for n, t in load_file(file).items()}, file)
    both = engine(folders)
    found = by_key(list(both.generate(requests(["tuned", "baseline"]))))
    assert both.describe()["ways"] == {"baseline": "plain", "tuned": "merged"}
    for i in range(len(PROMPTS)):
        assert found[f"baseline-{i}"].logprobs == pytest.approx(alone[f"baseline-{i}"].logprobs, abs=1e-5)
    with pytest.raises(UserError, match="cannot be served as LoRA: it changes biases or weights of the base"):
        engine(folders, "force")


def test_a_model_whose_files_lack_a_weight_is_refused(model: Path, tmp_path: Path) -> None:
    """It would be drawn at random: anything is better than such a baseline."""
    broken = without_weights(model, tmp_path / "broken", "model.layers.1.mlp.up_proj.weight")
    lacking = r"broken: its files lack 1 weight of the model, such as model\.layers\.1\.mlp\.up_proj\.weight, which"
    with pytest.raises(UserError, match=lacking):
        list(engine({"baseline": broken}).generate(requests()))
    with pytest.raises(UserError, match=lacking):
        list(engine({"tuned": save_adapter(broken, tmp_path / "a0")}, "merge").generate(requests(["tuned"])))


def test_an_adapter_answers_like_peft(model: Path, adapter: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    found = by_key(list(engine({"tuned": adapter}).generate(requests(["tuned"]))))
    tuned = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(model), str(adapter)).eval()
    for i, ids in enumerate(PROMPTS):
        expected, logprobs = greedy(tuned, ids, 6)
        assert list(found[f"tuned-{i}"].output_ids) == expected
        assert found[f"tuned-{i}"].logprobs == pytest.approx(logprobs, abs=1e-4)


def test_two_adapters_keep_their_own_answers(model: Path, adapter: Path, tmp_path: Path) -> None:
    other = save_adapter(model, tmp_path / "a1", seed=7)
    alone = by_key(list(engine({"other": other}).generate(requests(["other"]))))
    both = by_key(list(engine({"tuned": adapter, "other": other}).generate(requests(["tuned", "other"]))))
    for i in range(len(PROMPTS)):
        assert both[f"other-{i}"].logprobs == pytest.approx(alone[f"other-{i}"].logprobs, abs=1e-5)
        assert both[f"other-{i}"].logprobs != both[f"tuned-{i}"].logprobs


def test_merged_answers_are_the_adapters_up_to_rounding(model: Path, adapter: Path) -> None:
    folders = {"baseline": model, "tuned": adapter}
    lora = by_key(list(engine(folders, "force").generate(requests(["tuned"]))))
    merged_engine = engine(folders, "merge")
    merged = by_key(list(merged_engine.generate(requests(["baseline", "tuned"]))))
    for i in range(len(PROMPTS)):
        assert merged[f"tuned-{i}"].logprobs == pytest.approx(lora[f"tuned-{i}"].logprobs, abs=1e-3)
    assert merged_engine.describe()["canary"]["tuned"]["check"] == "against the plain base"
    assert merged_engine.describe()["ways"] == {"baseline": "plain", "tuned": "merged"}


@pytest.mark.parametrize("lora", ["auto", "merge"])
def test_an_adapter_without_effect_stops_the_run(lora: str, model: Path, tmp_path: Path) -> None:
    zero = save_adapter(model, tmp_path / "zero", zero=True)
    opened = engine({"baseline": model, "tuned": zero}, lora)
    with pytest.raises(CanaryFailed, match=r"'tuned' \(.*zero\)"):
        list(opened.generate(requests(["baseline", "tuned"])))


def test_a_merged_adapter_without_effect_is_found_with_no_baseline(model: Path, tmp_path: Path) -> None:
    zero = save_adapter(model, tmp_path / "zero", zero=True)
    with pytest.raises(CanaryFailed, match="changes none of its base's"):
        list(engine({"tuned": zero}, "merge").generate(requests(["tuned"])))


def test_an_answer_ends_at_the_first_end_token_and_its_text_leaves_it_out(model: Path) -> None:
    free = by_key(list(engine({"baseline": model}).generate(requests())))
    full = free["baseline-0"].output_ids
    end = next(i for i in range(1, 6) if full[i] not in full[:i])
    stopped = by_key(list(engine({"baseline": model}).generate(requests(stop_ids=(full[end],)))))
    assert stopped["baseline-0"].finish_reason == "stop"
    assert stopped["baseline-0"].output_ids == full[: end + 1]
    assert stopped["baseline-0"].output_tokens == end + 1
    assert free["baseline-0"].text.startswith(stopped["baseline-0"].text)
    assert free["baseline-0"].finish_reason == "length" and free["baseline-0"].output_tokens == 6


def test_a_prompt_that_is_too_long_fails_alone(model: Path) -> None:
    long = Request(key="long", ids=(5,) * 60, sampling=Sampling(max_tokens=6), variant="baseline")
    found = by_key(list(engine({"baseline": model}).generate([*requests(), long])))
    assert found["long"].finish_reason == "error" and "60 tokens" in str(found["long"].error)
    assert sum(c.error is None for c in found.values()) == len(PROMPTS)


def test_sampling_follows_the_seed(model: Path) -> None:
    def answers(seed: int) -> list[tuple[int, ...]]:
        opened = engine({"baseline": model})
        found = by_key(list(opened.generate(requests(temperature=1.0, seed=seed))))
        return [found[f"baseline-{i}"].output_ids for i in range(len(PROMPTS))]

    assert answers(1) == answers(1)
    assert answers(1) != answers(2)


def test_samples_come_from_all_tokens(tiny_model: Path) -> None:
    """The model is nearly uniform: its 50 likeliest tokens hold a fifth of the probability."""
    import torch
    from transformers import AutoModelForCausalLM

    scores = AutoModelForCausalLM.from_pretrained(tiny_model)(input_ids=torch.tensor([PROMPTS[0]])).logits[0, -1]
    likely = set(scores.topk(50).indices.tolist())
    ask = requests(max_tokens=1, temperature=1.0)[0]
    asked = [
        structs.replace(ask, key=str(seed), sampling=structs.replace(ask.sampling, seed=seed)) for seed in range(30)
    ]
    drawn = [found.output_ids[0] for found in engine({"baseline": tiny_model}).generate(asked)]
    assert not set(drawn) <= likely


def test_a_dtype_that_does_not_exist_is_refused(model: Path) -> None:
    with pytest.raises(UserError, match="float8: expected one of"):
        open_engine(
            EngineConfig(name="transformers", dtype="float8"), {"baseline": resolve(str(model))}, max_model_len=8
        )


def continuously(model: Any, given: Sequence[Request]) -> dict[str, list[int]]:
    """Small enough for a machine without a device."""
    limits = {"num_blocks": 32, "page_size": 16, "max_batch_tokens": 64}
    return {request.key: ids for request, ids in generate.generated(model, given, **limits)}


def test_continuous_batching_gives_the_tokens_of_padded_batches(model: Path, adapter: Path) -> None:
    """On a CPU, where it is never chosen: what it computes does not depend on the device."""
    opened = engine({"baseline": model, "tuned": adapter})
    padded = by_key(list(opened.generate(requests(["baseline", "tuned"], max_tokens=5))))
    stop = padded["tuned-0"].output_ids[3]
    stopped = by_key(list(opened.generate(requests(["baseline", "tuned"], max_tokens=5, stop_ids=(stop,)))))
    for variant in ("baseline", "tuned"):
        for end, expected in (((), padded), ((stop,), stopped)):
            with opened._using_adapter(variant):
                given = requests([variant], max_tokens=5, logprobs=False, stop_ids=end)
                found = continuously(opened._model, given)
            assert {key: tuple(ids) for key, ids in found.items()} == {
                key: c.output_ids for key, c in expected.items() if key in found
            }
            assert len(found) == len(PROMPTS)
    assert opened._model.config._attn_implementation == "sdpa"


@pytest.mark.gpu
def test_on_a_device_many_greedy_answers_come_continuously_and_are_those_of_padded_batches(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = [
        Request(key=f"{i}", ids=(*ids, 5 + i), sampling=Sampling(max_tokens=6), variant="baseline")
        for i in range(BATCH + 8)
        for ids in [PROMPTS[i % len(PROMPTS)]]
    ]
    real, calls = generate.generated, []
    monkeypatch.setattr(generate, "generated", lambda *words: calls.append(1) or real(*words))
    continuous = by_key(list(engine({"baseline": model}).generate(given)))
    assert calls
    monkeypatch.setattr(generate.Answerer, "is_continuous", lambda answerer, group: False)
    padded = by_key(list(engine({"baseline": model}).generate(given)))
    assert {key: c.text for key, c in continuous.items()} == {key: c.text for key, c in padded.items()}


def test_nothing_loads_before_a_request_comes(model: Path) -> None:
    opened = engine({"baseline": model})
    assert list(opened.generate([])) == [] and opened._model is None
    opened.close()
    opened.close()


def test_options_have_the_log_probabilities_of_a_whole_forward_pass(model: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    options = (4, 40, 7)
    found = by_key(
        list(engine({"baseline": model}).generate(requests(max_tokens=1, logprobs=False, logprob_ids=options)))
    )
    plain = AutoModelForCausalLM.from_pretrained(model).eval()
    for i, ids in enumerate(PROMPTS):
        with torch.inference_mode():
            expected = torch.log_softmax(plain(input_ids=torch.tensor([ids])).logits[0, -1], dim=-1)
        got = found[f"baseline-{i}"]
        assert got.option_logprobs == pytest.approx([float(expected[token]) for token in options], abs=1e-4)
        assert got.logprobs == ()
