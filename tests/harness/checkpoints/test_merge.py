"""Merging: the sum is right, made once, and its distance from the adapter is known."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.checkpoints import merge
from harness.checkpoints.merge import merged_folder, read_facts
from harness.checkpoints.resolve import refuse_changed, resolve
from harness.checkpoints.weights import load_adapter
from harness.engines.cache_eviction import trim
from harness.errors import UserError
from harness.schema import Checkpoint
from tests.support.adapters import change_json, save_adapter

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def adapter(tiny_model: Path, tmp_path: Path) -> Checkpoint:
    return resolve(str(save_adapter(tiny_model, tmp_path / "a0")))


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return dict(load_file(folder / "model.safetensors"))


def test_merged_weights_are_base_plus_scaled_product(tiny_model: Path, tmp_path: Path) -> None:
    """W' = W + (alpha / r) B A (LoRA, arXiv 2106.09685, section 4.1), computed here from the files."""
    import torch
    from safetensors.torch import load_file

    adapter = save_adapter(tiny_model, tmp_path / "a0", r=4, lora_alpha=8)
    parts = load_file(adapter / "adapter_model.safetensors")
    before, after = weights(tiny_model), weights(merged_folder(resolve(str(adapter))))
    for name in ("model.layers.0.self_attn.q_proj", "model.layers.1.mlp.down_proj"):
        a, b = (parts[f"base_model.model.{name}.lora_{side}.weight"] for side in "AB")
        expected = before[f"{name}.weight"] + 2.0 * (b @ a)
        assert torch.allclose(after[f"{name}.weight"], expected, atol=1e-6)
    assert torch.equal(after["model.embed_tokens.weight"], before["model.embed_tokens.weight"])


def test_an_adapter_of_which_a_part_would_not_be_loaded_is_refused(adapter: Checkpoint, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    file = Path(str(adapter.adapter_path)) / "adapter_model.safetensors"
    parts = {name.replace("layers.1.", "layers.9."): tensor for name, tensor in load_file(file).items()}
    save_file(parts, file)
    with pytest.raises(UserError, match=r"its file has no weights for 14 tensors of the adapter, such as base_model\."):
        merge.merge_into(resolve(adapter.name), tmp_path / "merged")


@pytest.mark.parametrize(
    ("added", "targets", "lost"),
    [("layers.9.", None, 14), ("layers.1.self_attn.own_proj.", None, 2), ("", ["q_proj"], 24)],
)
def test_an_adapter_with_weights_that_its_base_or_its_config_has_no_place_for_is_refused(
    added: str, targets: list[str] | None, lost: int, adapter: Checkpoint, tmp_path: Path
) -> None:
    """PEFT leaves them out without a word, where vLLM may use them."""
    from safetensors.torch import load_file, save_file

    folder = Path(str(adapter.adapter_path))
    parts = load_file(folder / "adapter_model.safetensors")
    old = "layers.1.self_attn.q_proj." if "own" in added else "layers.1."
    more = {name.replace(old, added): tensor.clone() for name, tensor in parts.items() if added and old in name}
    save_file(parts | more, folder / "adapter_model.safetensors")
    if targets:
        change_json(folder / "adapter_config.json", target_modules=targets)
    with pytest.raises(
        UserError, match=rf"its base has no place for {lost} tensors of the adapter, such as base_model\."
    ):
        merge.merge_into(resolve(adapter.name), tmp_path / "merged")
    with pytest.raises(UserError, match="its base has no place for"):
        load_tuned_twice(adapter)


def test_an_adapter_of_another_rank_than_its_config_says_is_refused(adapter: Checkpoint, tmp_path: Path) -> None:
    change_json(Path(str(adapter.adapter_path)) / "adapter_config.json", r=8)
    with pytest.raises(
        UserError, match=r"a0: its file does not fit its adapter_config\.json or its base: base_model\."
    ):
        merge.merge_into(resolve(adapter.name), tmp_path / "merged")


def load_tuned_twice(adapter: Checkpoint) -> None:
    """Load an adapter as a second one, as an engine that serves several does."""
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(adapter.path)
    whole = save_adapter(Path(adapter.path), Path(str(adapter.adapter_path)).parent / "whole", seed=2)
    load_adapter(load_adapter(base, whole, "whole"), str(adapter.adapter_path), "other")


def test_the_sum_is_made_in_fp32_and_rounded_once(tiny_model: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    half = save_half(tiny_model, tmp_path / "half")
    adapter = save_adapter(half, tmp_path / "a0", r=4, lora_alpha=8)
    parts = load_file(adapter / "adapter_model.safetensors")
    before, after = weights(half), weights(merged_folder(resolve(str(adapter))))
    name = "model.layers.0.mlp.up_proj"
    a, b = (parts[f"base_model.model.{name}.lora_{side}.weight"].float() for side in "AB")
    exact = before[f"{name}.weight"].float() + 2.0 * (b @ a)
    assert after[f"{name}.weight"].dtype == torch.bfloat16
    assert torch.equal(after[f"{name}.weight"], exact.to(torch.bfloat16))
    twice = before[f"{name}.weight"] + (2.0 * (b @ a)).to(torch.bfloat16)
    assert not torch.equal(after[f"{name}.weight"], twice)


def test_a_second_merge_does_no_work(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = save_adapter(tiny_model, tmp_path / "a0")
    first = merged_folder(resolve(str(adapter)))

    def never(*_: object) -> None:
        raise AssertionError("merged again")

    monkeypatch.setattr(merge, "merge_into", never)
    twin = Path(shutil.copytree(adapter, tmp_path / "elsewhere"))
    assert merged_folder(resolve(str(twin))) == first


def test_an_adapter_that_changed_after_it_was_resolved_is_not_kept_under_its_old_digest(
    tiny_model: Path, tmp_path: Path
) -> None:
    adapter, other = (save_adapter(tiny_model, tmp_path / f"a{seed}", seed=seed) for seed in (1, 2))
    resolved = resolve(str(adapter))
    shutil.copy(other / "adapter_model.safetensors", adapter)
    with pytest.raises(UserError, match=r"its files changed while they were in use: their content digest was \w+ and"):
        merged_folder(resolved)
    assert not merge.merged_path(resolved).exists()
    shutil.rmtree(adapter)
    with pytest.raises(UserError, match=r"its files changed while they were in use: .*adapter_config\.json"):
        refuse_changed(resolved)


def test_another_adapter_and_a_tokenizer_that_changed_get_another_folder(tiny_model: Path, tmp_path: Path) -> None:
    """A merged folder holds the tokenizer that its answers are read with."""
    base = Path(shutil.copytree(tiny_model, tmp_path / "base"))
    other, adapter = (save_adapter(base, tmp_path / f"a{seed}", seed=seed) for seed in (1, 2))
    before = merged_folder(resolve(str(adapter)))
    assert merge.merged_path(resolve(str(other))) != before
    (base / "chat_template.jinja").write_text((base / "chat_template.jinja").read_text() + "{# changed #}")
    after = merged_folder(resolve(str(adapter)))
    assert after != before
    assert (after / "chat_template.jinja").read_bytes() == (base / "chat_template.jinja").read_bytes()


def test_a_merged_folder_is_in_use_until_the_process_ends_and_is_made_again_when_it_was_dropped(
    adapter: Checkpoint,
) -> None:
    folder = merged_folder(adapter)
    assert [entry.path for entry in trim(0).refused] == [folder]
    os.close(merge._in_use.pop(folder))
    assert [entry.path for entry in trim(0).dropped] == [folder] and not folder.exists()
    assert merged_folder(adapter) == folder and (folder / "model.safetensors").is_file()


def test_a_merged_folder_that_lost_its_facts_is_made_again(adapter: Checkpoint) -> None:
    folder = merged_folder(adapter)
    (folder / "merge.json").unlink()
    (folder / "model.safetensors").write_bytes(b"")
    assert merged_folder(adapter) == folder and weights(folder)


def change_a_byte(folder: Path) -> None:
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[-3] ^= 64
    (folder / "model.safetensors").write_bytes(data)


@pytest.mark.parametrize(
    "change",
    [
        change_a_byte,
        lambda folder: change_json(folder / "config.json", rms_norm_eps=0.5),
        lambda folder: (folder / "chat_template.jinja").write_text("{{ messages[0]['content'][:3] }}"),
        lambda folder: change_json(folder / "generation_config.json", eos_token_id=[1, 2, 3, 4]),
        lambda folder: change_json(folder / "merge.json", digest=None),
        lambda folder: (folder / "merge.json").write_text("{"),
    ],
)
def test_a_merged_folder_that_changed_after_it_was_written_is_made_again(
    change: Callable[[Path], object], adapter: Checkpoint
) -> None:
    """Its answers would count for the adapter, which nobody asked."""
    folder = merged_folder(adapter)
    before = resolve(str(folder)).digest
    os.close(merge._in_use.pop(folder))
    change(folder)
    said: list[str] = []
    assert merged_folder(adapter, said.append) == folder
    assert said[0].startswith("merging ")
    assert resolve(str(folder)).digest == before == read_facts(folder).digest


def test_the_merged_folder_is_a_checkpoint_with_the_same_tokenizer(tiny_model: Path, tmp_path: Path) -> None:
    base = Path(shutil.copytree(tiny_model, tmp_path / "base"))
    change_json(base / "generation_config.json", temperature=0.6)  # Without `do_sample`.
    (base / "preprocessor_config.json").write_text("{}")
    adapter = resolve(str(save_adapter(base, tmp_path / "a0")))
    folder = merged_folder(adapter)
    found = resolve(str(folder))
    assert found.kind == "model" and found.tokenizer_digest == adapter.tokenizer_digest
    assert found.base_digest != adapter.base_digest
    settings = ("generation_config.json", "preprocessor_config.json")
    assert all((folder / name).read_bytes() == (base / name).read_bytes() for name in settings)


def test_the_gap_to_the_adapter_is_reported(tiny_model: Path, tmp_path: Path) -> None:
    exact = read_facts(merged_folder(resolve(str(save_adapter(tiny_model, tmp_path / "a0")))))
    assert exact.dtype == "float32" and exact.logprob_gap < 1e-4
    half = save_half(tiny_model, tmp_path / "half")
    rounded = read_facts(merged_folder(resolve(str(save_adapter(half, tmp_path / "a1")))))
    assert rounded.dtype == "bfloat16" and 1e-4 < rounded.logprob_gap < 1.0
    assert 0 < rounded.changed_tensors < rounded.tensors
    assert f"{rounded.changed_tensors} of {rounded.tensors} tensors changed" in rounded.says


def save_half(tiny_model: Path, out: Path) -> Path:
    import torch
    from transformers import AutoModelForCausalLM

    shutil.copytree(tiny_model, out)
    AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.bfloat16).save_pretrained(out)
    return out


def test_an_adapter_without_effect_changes_no_tensor(tiny_model: Path, tmp_path: Path) -> None:
    folder = merged_folder(resolve(str(save_adapter(tiny_model, tmp_path / "zero", zero=True))))
    assert read_facts(folder).changed_tensors == 0


@pytest.mark.parametrize(
    "config",
    [
        {"use_dora": True},
        {"init_lora_weights": "pissa"},
        {"modules_to_save": ["lm_head"]},
        {"target_modules": ["q_proj", "lm_head"]},
    ],
)
def test_an_adapter_of_each_kind_merges_to_what_peft_computes(
    config: dict[str, Any], tiny_model: Path, tmp_path: Path
) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    folder = save_adapter(tiny_model, tmp_path / "a0", **config)
    if "modules_to_save" in config:
        move_head(folder)
    tuned = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_model), str(folder)).eval()
    merged = AutoModelForCausalLM.from_pretrained(merged_folder(resolve(str(folder)))).eval()
    ids = torch.tensor([[5, 17, 42, 7]])
    with torch.inference_mode():
        assert torch.allclose(tuned(input_ids=ids).logits, merged(input_ids=ids).logits, atol=2e-4)


def move_head(adapter: Path) -> None:
    """Change the saved output layer, so that it differs from the tied embedding."""
    from safetensors.torch import load_file, save_file

    parts = load_file(adapter / "adapter_model.safetensors")
    (name,) = (n for n in parts if n.endswith("lm_head.weight"))
    save_file(parts | {name: parts[name] * 1.5}, adapter / "adapter_model.safetensors")


def test_a_folder_that_cannot_be_written_is_one_line(
    adapter: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TUNEGATE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(UserError, match="cannot write the merged model"):
        merged_folder(adapter)


def test_a_failed_merge_leaves_no_folder(adapter: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = merge._changed
    monkeypatch.setattr(merge, "_changed", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        merged_folder(adapter)
    assert [p for p in (tmp_path / "cache" / "merged").iterdir() if p.is_dir()] == []
    monkeypatch.setattr(merge, "_changed", real)
    assert (merged_folder(adapter) / "model.safetensors").exists()
