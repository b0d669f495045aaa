"""A model card says what a run recorded, in the hub's form, and takes a verdict that comes later."""

import hashlib
import json
import shutil

import pytest
from msgspec import convert, to_builtins

from harness.approval.approve import verdict_on
from harness.approval.evidence import Where
from harness.checkpoints import bundled_model
from harness.checkpoints.merge import Contamination, MergeFacts
from harness.checkpoints.resolve import resolve
from harness.errors import UserError
from harness.evaluation.seen_cases import doubts
from harness.runs.folder import check_seal, load_run
from harness.schema import Checkpoint
from tests.conftest import save_tiny_model
from tests.support.adapters import change_json, save_adapter
from tests.support.gated import write_project, write_run
from tests.training.conftest import quiet, save_filled
from tests.training.test_full_disk import room
from training import model_card
from training.config import Lora
from training.config_file import load
from training.job import prepare
from training.merge import contamination_of_base, merge
from training.run import train


def parsed(folder):
    """The card as the hub's own client reads it."""
    from huggingface_hub import ModelCard

    return ModelCard((folder / "README.md").read_text())


@pytest.fixture
def run(write_config, write_rows, tmp_path):
    (tmp_path / "data_card.md").write_text("# Rows")
    return train(write_config(train__max_steps=2), progress=quiet)


@pytest.mark.slow
def test_an_adapters_card_says_what_the_run_recorded(run, tmp_path):
    card = parsed(run / "adapter")
    assert card.data.library_name == "peft" and card.data.pipeline_tag == "text-generation"
    assert card.data.license == "unknown" and card.data.base_model is None
    assert card.data.tags == ["lora", "tunegate"]
    record = load_run(run).manifest.training
    sha256 = hashlib.sha256((tmp_path / "train.jsonl").read_bytes()).hexdigest()
    link = "[data_card.md](../../../data_card.md)"
    assert (run / "adapter" / "../../../data_card.md").resolve() == (tmp_path / "data_card.md").resolve()
    lines = [
        f"| train | train.jsonl | 12 | {sha256} | {link} |",
        "| validation | validation.jsonl | 3 |",
        "| lora.r | 4 |",
        f"{record['best_validation_loss']:.4f}",
        f"| selected step | {record['best_step']} (lowest validation loss) |",
        f"| trained parameters | {record['trainable_parameters']:,} |",
        "vLLM serves it as LoRA with max_lora_rank 8",
        "It was trained on 12 rows; at least 1,000 are recommended.",
        model_card.NOT_JUDGED,
    ]
    assert [text for text in lines if text not in card.text] == []
    assert (run / "adapter" / "loss_curve.svg").read_bytes() == (run / "loss_curve.svg").read_bytes()
    assert "There were no validation rows" not in card.text


@pytest.mark.slow
def test_a_verdict_that_comes_later_is_put_in_and_all_else_stays(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_project(tmp_path)
    file = run / "adapter" / "README.md"
    file.write_text(file.read_text() + "\nA person's own words.\n")
    before, checkpoint = file.read_text(), resolve(str(run))
    write_run(tmp_path / "evals", run, "pass", "fail")
    assert model_card.update(checkpoint, verdict_on(checkpoint, Where(runs=tmp_path / "evals"))) == file
    text = file.read_text()
    assert (
        "\nNot approved by evalsuites/approval.toml: " in text
        and "1 of 2 gates not passed" in text
        and model_card.NOT_JUDGED not in text
    )
    write_run(tmp_path / "newer", run, "pass", "pass")
    model_card.update(checkpoint, verdict_on(checkpoint, Where(runs=tmp_path / "newer")))
    text = file.read_text()
    assert "Approved by evalsuites/approval.toml: legal/mini by run" in text and "Not approved" not in text
    model_card.update(checkpoint, None)
    assert file.read_text() == before
    assert check_seal(run) == [] and resolve(str(run)).digest == checkpoint.digest


@pytest.mark.slow
def test_a_merged_models_card_holds_approval_parity_and_the_training(run, tmp_path):
    report = merge(str(run), tmp_path / "merged", approval="approved by run 1", shown_by=["legal/mini: run 1"])
    card = parsed(tmp_path / "merged")
    assert card.data.library_name == "transformers" and card.data.tags == ["lora", "merged", "tunegate"]
    lines = [
        "Adapter: approved by run 1.\n\n- legal/mini: run 1\n",
        report.summary,
        "| lora.r | 4 |",
        "train.jsonl",
        model_card.NOT_JUDGED,
    ]
    assert [text for text in lines if text not in card.text] == []
    assert (tmp_path / "merged" / "loss_curve.svg").is_file()
    assert "[data_card.md](../data_card.md)" in card.text


@pytest.mark.slow
def test_an_adapter_on_a_merge_inherits_what_is_known_of_the_merges_rows(run, write_config, tmp_path):
    record = load_run(run).manifest.training
    base = {"cases": 0, "unchecked": "--no-contamination-check", "leaks": [{"row": "train.jsonl:1"}]}
    known = record["contamination"] | {"base": base}
    change_json(run / "run.json", training=record | {"contamination": known})
    merge(str(run), tmp_path / "merged")
    config, said = load(write_config(base=tmp_path / "merged")), []
    inherited = prepare(config, said.append).contamination["base"]
    assert inherited == to_builtins(convert(known, Contamination)) and "leaks" not in str(inherited)
    assert any("The training rows of the base of the base were compared with no suite" in text for text in said)
    merge(str(save_adapter(tmp_path / "merged", tmp_path / "elsewhere")), tmp_path / "twice")
    assert contamination_of_base(tmp_path / "twice")["base"]["base"] == inherited
    facts = json.loads((tmp_path / "merged" / "merge.json").read_text())
    for text in (
        "{",
        json.dumps(facts | {"contamination": {"rows": "many"}}),
        json.dumps(facts | {"contamination": {"base": []}}),
    ):
        (tmp_path / "merged" / "merge.json").write_text(text)
        assert prepare(config, print).contamination["base"] == {}


def test_a_card_says_why_scores_may_be_too_high():
    leaks = {}
    for above in ({"cases": 9, "rows": 0}, {"cases": 9, "rows": 1, "allowed": "a trial"}, {"cases": 0}):
        leaks = above | {"base": leaks}
    assert list(doubts(leaks)) == [
        "The training rows were compared with no suite, so the model may have been trained on the cases that score it.",
        "Text of a suite's cases is in 1 training row of the base, so the scores are too high: a trial",
        "The training rows of the base of the base of the base were not recorded, so the model may have been trained "
        "on the cases that score it.",
    ]


@pytest.mark.slow
def test_a_merged_model_takes_the_verdict_on_its_own_weights_only(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_project(tmp_path)
    where = Where(runs=tmp_path / "evals")
    merge(str(run), tmp_path / "merged")
    merged = resolve(str(tmp_path / "merged"))
    write_run(tmp_path / "evals", run, "pass", "pass")
    assert verdict_on(merged, where) is None
    write_run(tmp_path / "evals", tmp_path / "merged", "pass", "fail")
    assert verdict_on(merged, where).startswith("Not approved")
    assert verdict_on(resolve(str(run)), where).startswith("Approved")
    model_card.update(merged, verdict_on(merged, where))
    assert resolve(str(tmp_path / "merged")).digest == merged.digest


@pytest.mark.slow
def test_an_adapter_that_must_be_merged_says_why(write_config):
    run = train(write_config(train__max_steps=1, lora__dora=True, data__validation=[]), progress=quiet)
    text = parsed(run / "adapter").text
    assert "Merge it first" in text and "it uses DoRA, which vLLM does not serve" in text
    assert "There were no validation rows" in text


@pytest.mark.slow
def test_an_adapter_on_nf4_says_that_the_16_bit_base_is_another_base(write_config):
    run = train(write_config(train__max_steps=1, train__dtype="auto", model__quantise="nf4"), progress=quiet)
    card = parsed(run / "adapter")
    assert "qlora" in card.data.tags
    assert "held in NF4 with double quantisation" in card.text and "On the 16-bit base its answers differ" in card.text


def base_of(name, path="/nowhere"):
    return Checkpoint(name=name, kind="model", path=str(path), digest="d")


def test_evaluations_during_training_are_in_words_and_percent():
    levels = {"before": {"value": 0.5, "low": 0.4, "high": 0.6}, "best": None}
    record = {"selection": {"suite": "legal/mini", "metric": "clause_recall", "is_share": True, "cases": 12, **levels}}
    said = "base model 50.0% (40.0% to 60.0%), saved adapter not measured"
    assert model_card._case_metrics(record) == {"clause recall on 12 validation cases of legal/mini": said}


def test_the_head_names_bases_that_the_hub_has_and_their_licences(tmp_path):
    import yaml

    def head(base):
        return yaml.safe_load(model_card.front_matter(base, "peft", "adapter", []).strip("-\n"))

    found = head(base_of(bundled_model.EMBEDDED))
    assert (found["base_model"], found["license"]) == ("HuggingFaceTB/SmolLM2-135M-Instruct", "apache-2.0")
    (tmp_path / "README.md").write_text(
        "---\nlicense: other\nlicense_name: llama3\nlicense_link: LICENSE\n---\n# Model"
    )
    found = head(base_of("owner/name-1.5B", tmp_path))
    assert (found["base_model"], found["base_model_relation"]) == ("owner/name-1.5B", "adapter")
    assert (found["license"], found["license_name"], found["license_link"]) == ("other", "llama3", "LICENSE")
    assert "base_model" not in head(base_of(str(tmp_path), tmp_path))


@pytest.mark.parametrize(
    "text", ["# no head", "---\n: [\n---\n", "---\njust words\n---\n", "---\ndate: 2024-13-01\n---\n"]
)
def test_a_base_whose_card_names_no_licence_has_an_unknown_one(tmp_path, text):
    (tmp_path / "README.md").write_text(text)
    assert model_card.licence_of(base_of("x", tmp_path)) == {"license": "unknown"}


def test_a_base_whose_card_is_not_utf8_keeps_its_licence(tmp_path):
    (tmp_path / "README.md").write_bytes("---\r\nlicense: mit\r\n---\r\n# Modèle\r\n".encode("latin-1"))
    assert model_card.licence_of(base_of("x", tmp_path)) == {"license": "mit"}


@pytest.mark.parametrize(
    ("name", "on_hub", "licence"),
    [
        ("owner/base", "owner/base", "unknown"),
        (bundled_model.EMBEDDED, "HuggingFaceTB/SmolLM2-135M-Instruct", "apache-2.0"),
    ],
)
def test_a_merged_models_card_names_the_base_of_an_adapter_whose_training_is_unknown(tmp_path, name, on_hub, licence):
    """It had named the adapter."""
    (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": name}))
    adapter = Checkpoint(name="owner/adapter", kind="adapter", path="/base", adapter_path=str(tmp_path), digest="d")
    facts = MergeFacts(
        base_digest="b" * 64, adapter_digest="a", dtype="float32", changed_tensors=1, tensors=1, logprob_gap=0.0
    )
    model_card.write_merged_card(adapter, tmp_path, facts, "parity", "approved", None, tmp_path)
    card = parsed(tmp_path)
    assert (card.data.base_model, card.data.license) == (on_hub, licence)
    assert f"`{name}`, content {facts.base_digest}." in card.text and "owner/adapter" not in card.text


def test_a_card_that_does_not_fit_on_the_disk_stays_whole(tmp_path):
    file = tmp_path / "README.md"
    file.write_text(f"{model_card.BEGIN}\n{model_card.END}\n" + "A person's own words.\n" * 500)
    before = file.read_text()
    with room(4096), pytest.raises(UserError, match=r"README\.md: cannot be written \(File too large\)"):
        model_card.update(base_of("mine", tmp_path), "Passed")
    assert file.read_text() == before


def test_a_link_to_a_data_card_in_a_folder_with_a_space_is_a_link(tmp_path):
    assert model_card._link(str(tmp_path / "my data" / "train.md"), tmp_path) == "[train.md](my%20data/train.md)"


def test_a_card_of_someone_else_is_left_alone(tmp_path):
    (tmp_path / "README.md").write_text("# mine")
    with pytest.raises(UserError, match="no place for a verdict"):
        model_card.update(base_of("mine", tmp_path), "Passed")
    assert (tmp_path / "README.md").read_text() == "# mine"


def test_a_card_that_was_saved_in_another_encoding_is_refused(tmp_path):
    (tmp_path / "README.md").write_bytes(f"{model_card.BEGIN}\n{model_card.END}\nFür uns".encode("cp1252"))
    with pytest.raises(UserError, match=r"README\.md: not UTF-8 .* Save it as UTF-8"):
        model_card.update(base_of("mine", tmp_path), "Passed")


@pytest.mark.slow
def test_the_command_writes_the_verdict(run, tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from tunegate.cli.main import app

    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "evals", run, "pass", "pass")
    done = CliRunner().invoke(app, ["model-card", str(run), "--runs", str(tmp_path / "evals")])
    says = "Approved by evalsuites/approval.toml: legal/mini by run"
    assert done.exit_code == 0 and says in done.output
    assert says in (run / "adapter" / "README.md").read_text()


@pytest.mark.slow
def test_a_base_that_changed_after_the_training_is_merged_only_after_somebody_judged_it(write_config, tmp_path):
    base = save_tiny_model(tmp_path / "base", seed=1)
    run = train(write_config(base=base, train__max_steps=1), progress=quiet)
    trained_on = resolve(str(run)).base_digest[:12]
    shutil.copyfile(save_tiny_model(tmp_path / "other", seed=9) / "model.safetensors", base / "model.safetensors")
    with pytest.raises(
        UserError, match=rf"other weights .* was trained on \({trained_on}\). Restore those, or evaluate"
    ):
        merge(str(run), tmp_path / "merged")
    assert not (tmp_path / "merged").exists()
    merge(str(run), tmp_path / "merged", approved_digest=resolve(str(run)).digest)


@pytest.mark.slow
def test_the_card_of_a_merge_is_silent_on_a_run_whose_adapter_was_replaced(run, tiny_model, tmp_path):
    save_filled(tiny_model, Lora(r=4, alpha=16), run / "adapter", std=0.3)
    merge(str(run / "adapter"), tmp_path / "merged")
    assert "trained parameters" not in parsed(tmp_path / "merged").text
