"""Every file that somebody else may have written is read, or refused with a message: no other error leaves a reader."""

import json
import shutil
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import json_schema
from harness.baseline.format import load_accepted
from harness.checkpoints import model_files
from harness.checkpoints.model_files import CheckpointFolder
from harness.checkpoints.resolve import resolve
from harness.engines.cache import DATABASE, CacheFile, Header
from harness.engines.vllm import adapters
from harness.errors import UserError
from harness.evaluation import noise_file
from harness.gates import config
from harness.judges import rubric
from harness.judges.human_labels import add_labels
from harness.runs import folder as runs_folder
from harness.runs import redaction, score_events
from harness.runs.folder import RunData
from harness.scoring.brand import style_guide
from harness.scoring.grounding import registry
from harness.suites import cases
from tests.support.adapters import save_adapter
from tests.support.fuzzing import FEW, as_json, as_lines, as_toml, survives
from tests.support.mini import GATES, compare, rows

RUBRIC = 'name = "grounded"\nquestion = "Is it?"\nlabels = ["no", "yes"]\n'
REDACT = "words = ['Acme']\n[patterns]\nmatter = 'M-[0-9]{6}'\n"
NAMES = 'complete = ["party"]\n\n[[name]]\nkind = "party"\nname = "Acme"\naliases = ["Acme LLC"]\n'
STYLE = """client = "Ambleworth"
glossary = ["crema"]

[tone]
contractions = false
emoji = false
repeated_marks = false
all_caps = false
lists = false
slang = false
typos = false
grammar_slips = false

[[banned]]
id = "hype"
terms = ["game changer"]

[[name]]
exact = "TideFlask"
wrong = ["Tide Flask"]

[[required]]
id = "thanks"
any_of = ["thank you"]
"""
SCHEMA = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^x"}}, "required": ["a"]}
NOISE = {"schema_version": 1, "noise": []}
CONFIG = {
    "model_type": "qwen2", "dtype": "float32", "hidden_size": 64, "num_attention_heads": 4, "vocab_size": 400,
    "max_position_embeddings": 512, "eos_token_id": [1, 2], "text_config": {"hidden_size": 64},
    "auto_map": {"AutoConfig": "a.B"}, "id2label": {"0": "no"}, "attn_implementation": "sdpa",
}  # fmt: skip


@contextmanager
def file_of(content: bytes, name: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        yield path


def used_schema(path: Path) -> None:
    validator = json_schema.validator(json.dumps(json_schema.read(path)))
    list(validator.iter_errors({"a": "y"}))


def answers(path: Path) -> None:
    folder = path.parent / "k-fake-1"
    folder.mkdir()
    path.rename(folder / DATABASE)
    found = CacheFile(folder, Header(checkpoint="c", engine="fake", version="1"))
    try:
        found.get("k")
    finally:
        found.close()


READERS: dict[str, tuple[str, Any, Callable[[Path], Any]]] = {
    "cases": ("cases.jsonl", rows(2), cases.load_cases),
    "gates": ("gates.toml", GATES, config.load_gates),
    "rubric": ("rubric.toml", RUBRIC, rubric.load_rubric),
    "words to redact": ("redact.toml", REDACT, redaction.load),
    "closed list of names": ("names.toml", NAMES, registry.load),
    "style guide": ("style.toml", STYLE, style_guide.load),
    "JSON schema": ("schema.json", SCHEMA, used_schema),
    "noise": ("noise.json", NOISE, noise_file.load_noise),
    "config of a model": ("config.json", CONFIG, lambda path: CheckpointFolder(path.parent).config),
    "answers kept": ("a.sqlite", "", answers),
}
NEAR: dict[str, Callable[[Any], st.SearchStrategy[bytes]]] = {
    ".jsonl": lambda lines: as_lines(*lines),
    ".toml": as_toml,
    ".json": as_json,
    ".sqlite": lambda _: st.binary(),
}


@pytest.mark.parametrize("kind", READERS)
def test_a_valid_file_is_read_and_any_other_is_read_or_refused(kind: str) -> None:
    name, valid, read = READERS[kind]
    lines = valid if isinstance(valid, list) else [valid]
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    with file_of(text.encode(), name) as path:
        read(path)

    @FEW
    @given(NEAR[Path(name).suffix](valid))
    def any_content(content: bytes) -> None:
        with file_of(content, name) as path:
            survives(read, path)

    any_content()


@pytest.mark.parametrize(
    "reference", ["http://127.0.0.1:9/x.json", "file:///etc/passwd", "other.json", "#/nowhere", "#"]
)
def test_a_schema_that_refers_elsewhere_is_refused_and_nothing_is_fetched(
    reference: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import urllib.request

    opened: list[object] = []
    monkeypatch.setattr(urllib.request, "urlopen", lambda *asked, **more: opened.append(asked))
    with pytest.raises(UserError, match="a JSON schema cannot be used"):
        json_schema.validator(json.dumps({"$ref": reference}))
    assert opened == []


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunData:
    return compare(tmp_path_factory.mktemp("run"))


def whole(run: Path) -> None:
    """Everything that looks at a run folder."""
    found = runs_folder.load_run(run)
    runs_folder.check_seal(run)
    score_events.with_later(found)


@pytest.mark.parametrize("name", ["run.json", "records.jsonl", "scores.jsonl", "metrics.json", "verdicts.json"])
def test_a_run_folder_of_others_is_read_or_refused(run: RunData, name: str) -> None:
    data = (run.path / name).read_bytes()
    valid = [msgspec.json.decode(part) for part in (data.splitlines() if name.endswith("l") else [data])]

    @FEW
    @given(as_lines(*valid[:3]) if name.endswith("l") else as_json(valid[0]))
    def any_content(content: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(shutil.copytree(run.path, Path(folder) / "run"))
            (path / name).write_bytes(content)
            survives(whole, path)
            assert runs_folder.check_seal(path) == ([name] if content != data else [])

    any_content()


@FEW
@given(
    st.binary(max_size=200)
    | st.sampled_from(["..", "/etc/passwd", "run.json", "x"]).map(lambda n: f"{'0' * 64}  {n}\n".encode())
)
def test_a_seal_names_no_file_but_those_of_a_run_and_misses_none(run: RunData, content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(shutil.copytree(run.path, Path(folder) / "run"))
        (path / runs_folder.SEAL).write_bytes(content)
        changed = runs_folder.check_seal(path)
        assert changed and set(changed) <= {*runs_folder.SEALED, runs_folder.SEAL}


EVENT = {
    "suite": "legal/mini", "case_id": "c1", "variant": "tuned", "repeat": 1, "kind": "judge",
    "score": {"name": "judge_x", "value": 1.0, "extracted": {"label": ["yes"]}}, "author": "a", "rubric": "r",
}  # fmt: skip


@FEW
@given(as_lines(EVENT), as_json({"kind": "judge", "canaries": 3}))
def test_events_of_others_are_read_or_refused(run: RunData, content: bytes, about: bytes) -> None:
    import hashlib

    with tempfile.TemporaryDirectory() as folder:
        later = Path(folder) / score_events.FOLDER
        later.mkdir()
        (later / "b.jsonl").write_bytes(content)
        (later / "b.json").write_bytes(about)
        (later / "b.jsonl.sha256").write_text(f"{hashlib.sha256(content).hexdigest()}  b.jsonl\n")
        survives(lambda: score_events.with_later(msgspec.structs.replace(run, path=Path(folder))))


LABEL = {"suite": "legal/mini", "case_id": "c1", "variant": "tuned", "label": "yes", "comment": "so"}


@FEW
@given(as_lines(LABEL))
def test_labels_of_people_are_read_or_refused(run: RunData, content: bytes) -> None:
    asked = rubric.JudgeRubric(name="grounded", question="Is it?", labels=("no", "yes"))
    with tempfile.TemporaryDirectory() as folder, file_of(content, "labels.jsonl") as labels:
        survives(add_labels, msgspec.structs.replace(run, path=Path(folder)), asked, labels, "r1")


ACCEPTED = {
    "schema_version": 1, "suite": "legal/mini", "suite_hash": "h", "cases_hash": "h", "prompt_hash": "h",
    "scorers_hash": "h", "gates_hash": "h", "scorers": {"clauses": "v"},
    "gates": [{"metric": "m", "rule": "at_least", "value": 0.5}],
    "model": {"name": "m", "digest": "d", "base_digest": "d", "adapter_digest": None, "tokenizer_digest": "d"},
    "run_id": "r", "accepted_at": "2026", "reason": "r", "approved_by": "", "although": "", "samples": 1,
    "metrics": {"m": {"value": 0.5, "low": None, "high": None, "n": 1}}, "counts": {"clauses": ["tp"]},
    "cases": {"c1": {"case_hash": "h", "input_hash": "h", "prompt_hash": "h", "cluster": "k",
                     "answers": [{"scores": {"clauses": [1.0, 1]}}]}}, "digest": "",
}  # fmt: skip


@FEW
@given(as_json(ACCEPTED))
def test_an_accepted_baseline_that_anybody_edited_is_never_trusted(content: bytes) -> None:
    with file_of(content, "baseline.json") as path:
        assert survives(load_accepted, path, "legal/mini") is None


INDEX = {"metadata": {}, "weight_map": {"a": "model.safetensors"}}


@FEW
@given(as_json(INDEX))
def test_the_index_of_weights_is_read_or_refused(content: bytes) -> None:
    with file_of(content, model_files.WEIGHT_INDEX) as path:
        found = survives(lambda folder: CheckpointFolder(folder).weight_files, path.parent)
        assert found is None or all(file.parent == path.parent for file in found)


TENSORS = {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, "__metadata__": {"format": "pt"}}


@FEW
@given(as_json(TENSORS), st.none() | st.integers(0, 2**64 - 1), st.binary(max_size=9))
def test_the_header_of_weights_is_read_or_refused(header: bytes, length: int | None, data: bytes) -> None:
    content = struct.pack("<Q", len(header) if length is None else length) + header + data
    with file_of(content, "model.safetensors") as path:
        for shape in (survives(model_files.tensor_shapes, path) or {}).values():
            assert all(isinstance(width, int) and width >= 0 for width in shape)


@pytest.fixture(scope="module")
def adapter(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_adapter(tiny_model, tmp_path_factory.mktemp("fuzz") / "adapter")


@pytest.mark.parametrize("name", ["adapter_config.json", "tokenizer_config.json"])
def test_the_settings_of_an_adapter_are_read_or_refused(adapter: Path, name: str, tiny_model: Path) -> None:
    given_file = adapter / name
    valid = json.loads(given_file.read_text()) if given_file.is_file() else {"eos_token": {"content": "x"}}

    @FEW
    @given(as_json(valid))
    def any_content(content: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            twin = Path(shutil.copytree(adapter, Path(folder) / "a"))
            shutil.copyfile(tiny_model / "tokenizer.json", twin / "tokenizer.json")
            (twin / name).write_bytes(content)
            if survives(resolve, str(twin)) is not None:
                survives(adapters.examine, CheckpointFolder(twin), CheckpointFolder(tiny_model))

    any_content()
