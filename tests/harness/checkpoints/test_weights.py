"""Weights on disk can be read by whoever may read the configuration beside them, and none is missing."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.checkpoints.model_files import CheckpointFolder
from harness.checkpoints.weights import check_complete, save_model
from harness.errors import UserError
from tests.support.adapters import change_json, save_adapter, without_weights


@pytest.fixture(params=[0o022, 0o027])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """What a user lets others do with new files."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_weight_files_are_as_readable_as_any_new_file(tiny_model: Path, tmp_path: Path, umask: int) -> None:
    from transformers import AutoModelForCausalLM

    save_model(AutoModelForCausalLM.from_pretrained(tiny_model), tmp_path / "out")
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "out").iterdir()}
    assert "model.safetensors" in modes
    assert set(modes.values()) == {0o666 & ~umask}


def test_whole_models_are_complete_with_tied_embeddings_and_experts_too(
    tiny_models: dict[str, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    assert {
        family: check_complete(CheckpointFolder(folder)) for family, folder in tiny_models.items()
    } == dict.fromkeys(tiny_models, "")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("family", "names", "reason"),
    [
        ("qwen", ["model.layers.1.self_attn.q_proj.weight"], r"lack 1 weight .*layers\.1\.self_attn\.q_proj\.weight"),
        ("qwen", ["model.layers.1.self_attn.q_proj.bias"], r"lack 1 weight .*layers\.1\.self_attn\.q_proj\.bias"),
        ("mixtral", ["lm_head.weight"], r"lack 1 weight of the model, such as lm_head\.weight"),
        ("mixtral", ["model.layers.0.block_sparse_moe.experts.1.w1.weight"], "lack weights of the model, or have some"),
        (
            "mixtral",
            [f"model.layers.0.block_sparse_moe.experts.1.w{i}.weight" for i in (1, 2, 3)],
            "lack weights of the model, or have some in other shapes",
        ),
    ],
)
def test_a_model_that_lacks_a_weight_is_refused_before_an_engine_reads_it(
    family: str, names: list[str], reason: str, tiny_models: dict[str, Path], tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    folder = without_weights(tiny_models[family], tmp_path / "broken", *names)
    with pytest.raises(UserError, match=rf"broken: its files {reason}"):
        check_complete(CheckpointFolder(folder))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"quantization_config": {"quant_method": "awq"}}, r"its weights are quantised (config.json)"),
        ({"model_type": "newest"}, "transformers cannot lay it out: "),
    ],
)
def test_weights_that_cannot_be_compared_are_said_and_not_refused(
    settings: dict[str, object], reason: str, tiny_model: Path, tmp_path: Path
) -> None:
    folder = without_weights(tiny_model, tmp_path / "other", "model.layers.1.self_attn.q_proj.weight")
    change_json(folder / "config.json", **settings)
    assert check_complete(CheckpointFolder(folder)).startswith(reason)


def test_whole_adapters_are_complete_in_every_family(
    tiny_models: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for family, folder in tiny_models.items():
        adapters = {name: save_adapter(folder, tmp_path / f"{family} {name}") for name in ("tuned", "other")}
        capfd.readouterr()
        assert check_complete(CheckpointFolder(folder), adapters) == ""
        assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("trained", "stated", "reason"),
    [
        (["q_proj", "v_proj"], ["q_proj"], "its base has no place for 4 tensors of the adapter"),
        (["q_proj"], ["q_proj", "v_proj"], "its file has no weights for 4 tensors of the adapter"),
    ],
)
def test_an_adapter_of_which_a_part_would_have_no_effect_is_refused(
    trained: list[str], stated: list[str], reason: str, tiny_model: Path, tmp_path: Path
) -> None:
    adapter = save_adapter(tiny_model, tmp_path / "adapter", target_modules=trained)
    change_json(adapter / "adapter_config.json", target_modules=stated)
    with pytest.raises(UserError, match=f"adapter: {reason}"):
        check_complete(CheckpointFolder(tiny_model), {"tuned": adapter})
