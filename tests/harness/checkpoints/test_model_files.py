"""Weights on disk can be read by whoever may read the configuration beside them, and none is missing."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.checkpoints import model_files
from harness.checkpoints.model_files import CheckpointFolder, check_complete
from harness.errors import UserError
from tests.support.adapters import change_json, without_weights


@pytest.fixture(params=[0o022, 0o027])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """What a user lets others do with new files."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_weight_files_are_as_readable_as_any_new_file(tiny_model: Path, tmp_path: Path, umask: int) -> None:
    from transformers import AutoModelForCausalLM

    model_files.save(AutoModelForCausalLM.from_pretrained(tiny_model), tmp_path / "out")
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "out").iterdir()}
    assert "model.safetensors" in modes
    assert set(modes.values()) == {0o666 & ~umask}


@pytest.mark.parametrize(
    ("settings", "elsewhere", "stated_in"),
    [
        ("{}", "{}", ""),
        ('{"quantization_config": null}', "{}", ""),
        ('{"quantization_config": {"quant_method": "gptq"}}', "{}", "config.json"),
        ('{"text_config": {"quantization_config": {"quant_method": "compressed-tensors"}}}', "{}", "config.json"),
        ("{}", '{"quantization": {"quant_algo": "FP8"}}', "hf_quant_config.json"),
    ],
)
def test_weights_are_quantised_where_a_file_states_a_method(
    settings: str, elsewhere: str, stated_in: str, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(settings)
    (tmp_path / "hf_quant_config.json").write_text(elsewhere)
    assert CheckpointFolder(tmp_path).quantization_file == stated_in


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
