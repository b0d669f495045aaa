"""Pre-flight judges every adapter that vLLM would refuse in its worker, before any engine starts."""

from pathlib import Path
from typing import Any

import pytest

from harness.checkpoints.merge import load_tuned
from harness.checkpoints.model_files import CheckpointFolder
from harness.checkpoints.resolve import resolve
from harness.engines.base import model_folders
from harness.engines.vllm.adapters import examine, max_lora_rank, plan
from harness.errors import UserError
from harness.schema import Checkpoint
from tests.support.adapters import change_json, save_adapter, write_safetensors

Q_PROJ = "base_model.model.model.layers.0.self_attn.q_proj"
PLAIN = {f"{Q_PROJ}.lora_A.weight": (4, 64), f"{Q_PROJ}.lora_B.weight": (64, 4)}
EMBED = "base_model.model.model.embed_tokens"

# Adapter configuration changes -> what pre-flight says, and a word of the reason.
ROUTES: list[tuple[str, dict[str, Any], str, str]] = [
    ("plain", {}, "lora", ""),
    ("rslora", {"use_rslora": True}, "lora", ""),
    ("rank pattern", {"rank_pattern": {"q_proj": 6}}, "lora", ""),
    ("alpha pattern", {"alpha_pattern": {"q_proj": 6}}, "lora", ""),
    ("gaussian", {"init_lora_weights": "gaussian"}, "lora", ""),
    ("eva", {"init_lora_weights": "eva"}, "lora", ""),
    ("classifier", {"modules_to_save": ["classifier", "score"]}, "lora", ""),
    ("whole modules", {"modules_to_save": ["lm_head"]}, "merge", "modules_to_save"),
    ("dora", {"use_dora": True}, "merge", "DoRA"),
    ("pissa", {"init_lora_weights": "pissa"}, "merge", "init_lora_weights"),
    ("pissa iterations", {"init_lora_weights": "pissa_niter_16"}, "merge", "init_lora_weights"),
    ("olora", {"init_lora_weights": "olora"}, "merge", "init_lora_weights"),
    ("corda", {"init_lora_weights": "corda"}, "merge", "init_lora_weights"),
    ("loftq", {"init_lora_weights": "loftq"}, "merge", "init_lora_weights"),
    ("lora bias", {"lora_bias": True}, "merge", "biases"),
    ("bias", {"bias": "all"}, "merge", "biases"),
    ("bare parameters", {"target_parameters": ["experts.gate_up_proj"]}, "merge", "bare parameters"),
    ("token embeddings", {"trainable_token_indices": [1, 2]}, "merge", "token embeddings"),
    ("rank above all", {"r": 1024}, "merge", "rank 1024"),
    ("alora", {"alora_invocation_tokens": [1]}, "refuse", "aLoRA"),
    ("replication", {"layer_replication": [[0, 1]]}, "refuse", "layer_replication"),
    ("bd-lora", {"use_bdlora": {"x": 1}}, "refuse", "BD-LoRA"),
    ("qalora", {"use_qalora": True}, "refuse", "QALoRA"),
    ("prompt tuning", {"peft_type": "PROMPT_TUNING"}, "refuse", "peft_type"),
    ("no rank", {"r": None}, "refuse", "lacks r"),
    ("no alpha", {"lora_alpha": None}, "refuse", "lacks lora_alpha"),
    ("no targets", {"target_modules": None}, "refuse", "lacks target_modules"),
]


@pytest.fixture
def adapter(tiny_model: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "adapter_config.json").write_text("{}")
    change_json(
        folder / "adapter_config.json",
        peft_type="LORA", r=4, lora_alpha=8, target_modules=["q_proj"], base_model_name_or_path=str(tiny_model),
    )  # fmt: skip
    write_safetensors(folder / "adapter_model.safetensors", PLAIN)
    return folder


@pytest.mark.parametrize(("changes", "way", "reason"), [r[1:] for r in ROUTES], ids=[r[0] for r in ROUTES])
def test_each_configuration_takes_its_way(
    changes: dict[str, Any], way: str, reason: str, adapter: Path, tiny_model: Path
) -> None:
    change_json(adapter / "adapter_config.json", **changes)
    found = examine(CheckpointFolder(adapter), CheckpointFolder(tiny_model))
    assert found.way == way
    assert (not found.reasons) if way == "lora" else any(reason in r for r in found.reasons)


def test_a_real_peft_adapter_can_be_served(tiny_model: Path, tmp_path: Path) -> None:
    found = examine(CheckpointFolder(save_adapter(tiny_model, tmp_path / "real")), CheckpointFolder(tiny_model))
    assert (found.way, found.reasons, found.max_lora_rank) == ("lora", [], 8)


def test_a_module_that_the_base_lacks_is_refused(adapter: Path, tiny_model: Path) -> None:
    other = Q_PROJ.replace("q_proj", "qkv_packed")
    write_safetensors(adapter / "adapter_model.safetensors", PLAIN | {f"{other}.lora_A.weight": (4, 64)})
    found = examine(CheckpointFolder(adapter), CheckpointFolder(tiny_model))
    assert found.way == "refuse" and "qkv_packed" in found.reasons[0]


def test_an_adapter_of_another_vocabulary_or_with_whole_weights_is_merged(adapter: Path, tiny_model: Path) -> None:
    base = CheckpointFolder(tiny_model)
    rows = base.shapes["model.embed_tokens.weight"][0]
    for name, shape, way in (
        ("lora_embedding_A", (4, rows), "lora"),
        ("lora_embedding_A", (4, rows + 3), "merge"),
        ("weight", (8, 64), "merge"),
    ):
        write_safetensors(adapter / "adapter_model.safetensors", PLAIN | {f"{EMBED}.{name}": shape})
        assert examine(CheckpointFolder(adapter), base).way == way


@pytest.mark.parametrize(
    ("r", "pattern", "expected"),
    [(1, {}, 1), (4, {}, 8), (8, {}, 8), (24, {}, 32), (8, {"q_proj": 40}, 64), (300, {}, 320), (513, {}, 513)],
)
def test_the_smallest_rank_that_holds_the_adapter_is_taken(r: int, pattern: dict[str, int], expected: int) -> None:
    assert max_lora_rank({"r": r, "rank_pattern": pattern}) == expected


def adapters(*folders: Path) -> dict[str, Checkpoint]:
    return {folder.name: resolve(str(folder)) for folder in folders}


def both(*folders: Path) -> tuple[dict[str, Checkpoint], dict[str, CheckpointFolder]]:
    """Adapters and the folders of their bases, by name."""
    found = adapters(*folders)
    return found, model_folders(found)


def test_every_problem_of_every_adapter_is_in_one_message(tiny_model: Path, tmp_path: Path) -> None:
    one, other = (save_adapter(tiny_model, tmp_path / name) for name in ("one", "other"))
    change_json(one / "adapter_config.json", alora_invocation_tokens=[1], r=None)
    change_json(other / "adapter_config.json", use_qalora=True)
    with pytest.raises(UserError) as caught:
        plan(*both(one, other), "auto", on_cpu=True)
    said = str(caught.value)
    assert said.startswith("adapters that cannot be served: 3 problems")
    assert "aLoRA" in said and "lacks r" in said and "QALoRA" in said and "(one)" in said and "(other)" in said


@pytest.mark.parametrize(
    ("lora", "on_cpu", "way"),
    [
        ("auto", True, "merged"), ("auto", False, "lora"), ("force", True, "lora"),
        ("force", False, "lora"), ("merge", True, "merged"), ("merge", False, "merged"),
    ],
)  # fmt: skip
def test_the_way_of_a_plain_adapter(lora: str, on_cpu: bool, way: str, tiny_model: Path, tmp_path: Path) -> None:
    found = adapters(save_adapter(tiny_model, tmp_path / "tuned"), tiny_model)
    assert plan(found, model_folders(found), lora, on_cpu).ways == {"tuned": way, tiny_model.name: "plain"}


def test_on_a_gpu_dora_is_merged_and_says_why_and_no_option_serves_it(tiny_model: Path, tmp_path: Path) -> None:
    dora = both(save_adapter(tiny_model, tmp_path / "tuned", use_dora=True))
    found = plan(*dora, "auto", on_cpu=False)
    assert found.ways == {"tuned": "merged"} and "DoRA" in found.reasons["tuned"][0]
    with pytest.raises(UserError, match=r"cannot be served as LoRA.*DoRA"):
        plan(*dora, "force", on_cpu=True)


def test_an_adapter_with_a_tokenizer_of_its_own_is_merged(tiny_model: Path, tmp_path: Path) -> None:
    folder = save_adapter(tiny_model, tmp_path / "tuned")
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (folder / name).write_bytes((tiny_model / name).read_bytes())
    assert plan(*both(folder), "auto", on_cpu=False).ways == {"tuned": "lora"}
    (folder / "chat_template.jinja").write_text("{{ messages[0]['content'] }}")
    assert plan(*both(folder), "auto", on_cpu=False).ways == {"tuned": "merged"}


def test_a_merge_into_a_quantised_base_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    import shutil

    base = Path(shutil.copytree(tiny_model, tmp_path / "base"))
    folder = save_adapter(base, tmp_path / "tuned")
    change_json(base / "config.json", quantization_config={"quant_method": "awq"})
    packed = {name.replace("proj.weight", "proj.qweight"): s for name, s in CheckpointFolder(base).shapes.items()}
    write_safetensors(base / "model.safetensors", packed)
    with pytest.raises(UserError, match=r"its base is quantised \(config\.json\)\. Merge into"):
        plan(*both(folder), "auto", on_cpu=True)
    with pytest.raises(UserError, match=r"its base is quantised \(config\.json\)\. Merge into"):
        load_tuned(base, CheckpointFolder(folder))
    assert plan(*both(folder), "auto", on_cpu=False).ways == {"tuned": "lora"}


def test_the_rank_of_the_engine_holds_every_adapter(tiny_model: Path, tmp_path: Path) -> None:
    low, high = save_adapter(tiny_model, tmp_path / "low"), save_adapter(tiny_model, tmp_path / "high", r=12)
    assert plan(*both(low, high), "force", on_cpu=True).max_lora_rank == 16
