"""Nothing that a checkpoint brings along runs: no pickle, no code, no kernel, no template that reaches out."""

import ast
import io
import json
import pickle
import shutil
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

from harness.checkpoints import safety
from harness.checkpoints.model_files import CheckpointFolder
from harness.checkpoints.resolve import resolve
from harness.errors import UserError
from harness.suites.prompts import Renderer
from tests.support.adapters import Bomb, change_json, save_adapter

ROOT = Path(__file__).parents[3]
PRODUCT = ("harness", "training", "reports", "evalsuites")


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "it-ran"


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUNEGATE_CACHE", str(tmp_path / "cache"))
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


def message(folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        resolve(str(folder))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_bomb_of_these_tests_goes_off_where_nothing_stops_it(marker: Path) -> None:
    pickle.loads(pickle.dumps(Bomb(marker)))  # noqa: S301 - that it acts is what is tested
    assert marker.exists()


@pytest.mark.parametrize(
    "name",
    [
        "pytorch_model.bin",
        "consolidated.00.pth",
        "model.ckpt",
        "optimizer.pt",
        "scheduler.PT",
        "training_args.bin",
        "rng_state.pth",
        "state.pkl",
        "old.pickle",
        "head.joblib",
    ],
)
def test_a_pickle_beside_the_weights_is_refused_in_one_line_and_not_read(model: Path, marker: Path, name: str) -> None:
    (model / name).write_bytes(pickle.dumps(Bomb(marker)))
    said = message(model)
    assert said.startswith(f"{model}: holds pickles ({name})") and "safetensors alone" in said
    (model / "model.safetensors").unlink()
    assert message(model) == said
    assert not marker.exists()


def test_a_pickle_in_an_adapter_folder_is_refused(model: Path, marker: Path, tmp_path: Path) -> None:
    adapter = save_adapter(model, tmp_path / "adapter")
    (adapter / "optimizer.pt").write_bytes(pickle.dumps(Bomb(marker)))
    assert message(adapter).startswith(f"{adapter}: holds pickles (optimizer.pt)")
    (adapter / "optimizer.pt").unlink()
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    assert message(adapter).startswith(f"{adapter}: holds pickles (adapter_model.bin)")
    assert not marker.exists()


def test_a_hub_model_is_fetched_without_its_pickles_and_those_of_other_tools_are_let_lie(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    asked: list[str] = []
    before = resolve(str(model))
    (model / "pytorch_model.bin").write_bytes(b"")

    def download(text: str, revision: None, allow_patterns: list[str], ignore_patterns: list[str]) -> str:
        asked.extend(allow_patterns)
        return str(model) if text == "owner/name" else ""

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert resolve("owner/name").digest == before.digest
    assert asked and not [pattern for pattern in asked if pattern.endswith((*safety.PICKLES, "*", ".py"))]


@pytest.mark.parametrize("shard", ["../other.safetensors", "/etc/passwd", "sub/x.safetensors", "pytorch_model.bin", ""])
def test_an_index_names_only_safetensors_files_beside_it(model: Path, shard: str) -> None:
    (model / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": shard}}))
    with pytest.raises(UserError, match=r"index\.json: names .*Expected safetensors files next to it"):
        CheckpointFolder(model).weight_files  # noqa: B018


@pytest.mark.parametrize("key", safety.IMPLEMENTATIONS)
@pytest.mark.parametrize("value", ["owner/kernel", "flash_attention_2|owner/kernel", {"text_config": "owner/kernel"}])
def test_a_kernel_of_the_hub_in_a_config_is_refused(model: Path, key: str, value: object) -> None:
    change_json(model / "config.json", **{key: value})
    assert f"owner/kernel' ({key}), which is code from a model hub" in message(model)
    change_json(model / "config.json", **{key: None, "text_config": {key: value}})
    assert "which is code from a model hub" in message(model)


def test_a_kernel_that_transformers_has_itself_counts_in_the_digest(model: Path) -> None:
    before = resolve(str(model)).digest
    change_json(model / "config.json", _attn_implementation="eager")
    assert resolve(str(model)).digest != before


def with_own_code(model: Path, marker: Path) -> None:
    """A checkpoint whose author's code must run for it to load."""
    source = f"from pathlib import Path\nPath({str(marker)!r}).touch()\n"
    for module in ("configuration_own", "modeling_own", "tokenization_own"):
        (model / f"{module}.py").write_text(source)
    (model / "custom_generate").mkdir()
    (model / "custom_generate" / "generate.py").write_text(source)
    change_json(
        model / "config.json",
        model_type="own",
        auto_map={"AutoConfig": "configuration_own.Own", "AutoModelForCausalLM": "modeling_own.Own"},
    )


def test_code_of_a_checkpoint_is_refused_and_not_run(model: Path, marker: Path) -> None:
    with_own_code(model, marker)
    assert "transformers has no model type 'own'" in message(model) and "(auto_map) is never run" in message(model)
    assert not marker.exists()


def test_what_every_model_is_loaded_with_keeps_its_code_from_running(
    model: Path, marker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second wall: where a folder changes after it was looked at, the loader refuses, and asks nobody."""
    from transformers import AutoModelForCausalLM

    with_own_code(model, marker)
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n" * 9))
    with pytest.raises(ValueError, match="trust_remote_code"):
        AutoModelForCausalLM.from_pretrained(str(model), **safety.MODEL)
    assert not marker.exists()


def test_pickled_weights_are_not_read_by_the_loader_either(model: Path, marker: Path) -> None:
    from transformers import AutoModelForCausalLM

    (model / "model.safetensors").unlink()
    (model / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(marker)))
    with pytest.raises(OSError, match=r"model\.safetensors"):
        AutoModelForCausalLM.from_pretrained(str(model), **safety.MODEL)
    assert not marker.exists()


def test_own_code_of_a_known_model_type_is_passed_over(model: Path, marker: Path) -> None:
    with_own_code(model, marker)
    change_json(model / "config.json", model_type="qwen2")
    assert resolve(str(model)).kind == "model"
    assert Renderer(model).tokenizer.chat_template
    assert not marker.exists()


def test_code_of_a_tokenizer_is_refused_in_one_line_and_not_run(
    model: Path, marker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_own_code(model, marker)
    change_json(model / "config.json", model_type="own", auto_map=None)
    change_json(
        model / "tokenizer_config.json",
        tokenizer_class="Own",
        auto_map={"AutoTokenizer": ["tokenization_own.Own", None]},
    )
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n" * 9))
    with pytest.raises(UserError) as caught:
        _ = Renderer(model).tokenizer
    assert "\n" not in str(caught.value) and "never run" in str(caught.value)
    assert not marker.exists()


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.append({}) }}",
        "{{ cycler.__init__.__globals__.os.system('touch it-ran') }}",
        "{% for i in range(10 ** 9) %}x{% endfor %}",
        "{% include '/etc/passwd' %}",
        "{{",
    ],
)
def test_a_chat_template_cannot_reach_out_of_its_sandbox(model: Path, template: str) -> None:
    (model / "chat_template.jinja").write_text(template)
    with pytest.raises(UserError, match="the chat template cannot be used") as caught:
        Renderer(model).prompt([{"role": "user", "content": "x"}])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"max_position_embeddings": "many"}, "'max_position_embeddings' is 'many'"),
        ({"dtype": "load"}, "'dtype' is 'load'"),
        ({"dtype": "auto"}, "'dtype' is 'auto'"),
        ({"torch_dtype": "__class__"}, "'torch_dtype' is '__class__'"),
        ({"vocab_size": -1}, "'vocab_size' is -1"),
        ({"text_config": {"hidden_size": [1]}}, "'text_config.hidden_size' is [1]"),
        ({"auto_map": "own"}, "'auto_map' is 'own'"),
    ],
)
def test_a_setting_of_another_type_is_named(model: Path, settings: dict[str, object], named: str) -> None:
    change_json(model / "config.json", **settings)
    with pytest.raises(UserError) as caught:
        CheckpointFolder(model).config  # noqa: B018
    assert named in str(caught.value)


@cache
def every_call() -> dict[str, list[tuple[str, ast.Call]]]:
    """Every call of a method or function in the product, with where it stands, by its name."""
    found = defaultdict(list)
    for path in (path for folder in PRODUCT for path in sorted((ROOT / folder).rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                called = getattr(node.func, "attr", None) or getattr(node.func, "id", "")
                found[called].append((f"{path.relative_to(ROOT)}:{node.lineno}", node))
    return found


def calls(name: str) -> list[tuple[str, ast.Call]]:
    return every_call().get(name, [])


@pytest.mark.slow
def test_every_model_and_tokenizer_is_loaded_with_what_is_said_here() -> None:
    loads = calls("from_pretrained")
    files = {where.partition(":")[0] for where, _ in loads}
    assert {
        "harness/checkpoints/weights.py",
        "harness/suites/prompts.py",
        "harness/scoring/support_readers.py",
    } <= files
    wrong = []
    for where, call in loads:
        spread = {ast.unparse(k.value) for k in call.keywords if k.arg is None}
        by_peft = ast.unparse(call.func).startswith("PeftModel.")  # Takes an adapter that was looked at, and no code.
        if not by_peft and not spread & {"safety.MODEL", "safety.TOKENIZER"}:
            wrong.append(where)
    assert wrong == []
    assert safety.MODEL == {"local_files_only": True, "trust_remote_code": False, "use_safetensors": True}


def test_vllm_loads_safetensors_alone_and_is_given_no_leave_to_run_code() -> None:
    from harness.engines.vllm.model import llm_arguments

    given = {"dtype": "float32", "max_model_len": 64, "kv_cache_bytes": 1, "on_cpu": True, "max_lora_rank": 8}
    for adapters in (0, 1):
        arguments = llm_arguments(Path("/m"), adapters=adapters, **given)
        assert arguments["load_format"] == "safetensors" and "trust_remote_code" not in arguments


def test_nothing_is_unpickled_and_torch_loads_tensors_alone() -> None:
    loads = [(where, call) for where, call in calls("load") if ast.unparse(call.func) == "torch.load"]
    assert loads and all(any(k.arg == "weights_only" and k.value.value is True for k in c.keywords) for _, c in loads)  # type: ignore[attr-defined]
    assert not calls("Unpickler") and not calls("loads_pickle")
    pickled = [
        where for name in ("load", "loads") for where, c in calls(name) if ast.unparse(c.func).startswith("pickle.")
    ]
    assert pickled == []


def test_no_option_and_no_setting_lets_code_of_a_checkpoint_run() -> None:
    from training.config import Config

    named = [
        str(path.relative_to(ROOT))
        for folder in PRODUCT
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "trust_remote_code" in path.read_text("utf-8")
    ]
    assert named == ["harness/checkpoints/safety.py"]
    assert "trust" not in json.dumps(Config.__struct_fields__)
