"""Candidates are told by what can be computed, by facts with sources, and by scores of runs on this machine."""

import json
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.runs.folder import RunFolder
from harness.schema import Checkpoint, Estimate, Manifest, Metric, MetricRow, Metrics, SuiteInfo
from training.estimate import compare_models, known_models, shapes
from training.estimate.compare_models import show

NOWHERE = Path("none")
"""A folder of runs that is not there."""
PUBLISHED = {
    "SmolLM2-135M-Instruct": 0.135,
    "SmolLM2-360M-Instruct": 0.362,
    "SmolLM2-1.7B-Instruct": 1.71,
    "Llama-3.2-1B-Instruct": 1.24,
    "Llama-3.2-3B-Instruct": 3.21,
    "Llama-3.1-8B-Instruct": 8.03,
    "Llama-3.1-70B-Instruct": 70.6,
    "Mistral-7B-Instruct-v0.3": 7.25,
    "Mixtral-8x7B-Instruct-v0.1": 46.7,
    "Qwen2.5-7B-Instruct": 7.62,
    "Qwen3-8B": 8.19,
    "Qwen3-30B-A3B": 30.5,
}
"""Billions of parameters as the model cards say."""


def test_every_kept_base_has_the_size_that_its_makers_name():
    found = {
        known.hub.rpartition("/")[2]: shapes.of(known.config).parameters / 1e9 for known in known_models.facts().base
    }
    assert found == {name: pytest.approx(size, rel=0.005) for name, size in PUBLISHED.items()}


def test_a_mixture_says_what_one_token_passes():
    (found,) = compare_models.compare(["Qwen3-30B-A3B"], NOWHERE)
    assert found.active_parameters / 1e9 == pytest.approx(3.35, abs=0.05)
    assert "30.5B, 3.35B active" in show([found], 140)


def test_every_kept_base_has_a_licence_sources_and_who_serves_it():
    for known in known_models.facts().base:
        assert known.licence in known_models.facts().licence, known.hub
        assert known.config["model_type"] in known_models.facts().support, known.hub
        assert known.source.startswith("https://") and known.licence_source.startswith("https://"), known.hub


def test_only_what_cannot_be_computed_is_kept():
    raw = (Path(known_models.__file__).parent / "known_models.toml").read_text()
    assert "parameters =" not in raw and "memory" not in raw.partition("seen")[2]


def test_a_folder_is_compared_by_its_config_and_its_licence_is_left_to_the_reader(tiny_model):
    (found,) = compare_models.compare([str(tiny_model)], NOWHERE)
    assert (found.model_type, found.context, found.licence) == ("qwen2", 512, "")
    assert found.means == compare_models.BY_HAND
    assert found.parameters == shapes.of_folder(tiny_model).parameters


def test_a_folder_with_a_slash_at_its_end_has_its_name_in_the_table(tiny_model):
    row = next(
        line for line in show(compare_models.compare([f"{tiny_model}/"], NOWHERE), 140).splitlines() if "│" in line
    )
    assert row.split()[1] == tiny_model.name


def test_memory_orders_lora_qlora_and_serving_of_an_8b_model():
    (found,) = compare_models.compare(["Llama-3.1-8B-Instruct"], NOWHERE)
    assert found.shown("QLoRA").needs.total < found.shown("LoRA").needs.total
    assert found.smallest == {"LoRA": "L4 24 GB", "QLoRA": "L4 24 GB", "serve": "L4 24 GB"}
    assert found.shown("LoRA").checkpointing, "without it, 24 GB are not enough"


def test_a_70b_model_is_tuned_in_4_bits_and_not_served_by_one_card():
    (large,) = compare_models.compare(["Llama-3.1-70B-Instruct"], NOWHERE)
    assert large.smallest == {"LoRA": "", "QLoRA": "H100 80 GB", "serve": ""}
    shown = show([large], 140)
    assert "46.2* H100 80" in shown and "* with gradient checkpointing" in shown


def test_a_name_of_nothing_is_refused_with_the_names_that_are_known():
    with pytest.raises(UserError, match=r"nonsense: no folder with config\.json.*Qwen/Qwen3-8B"):
        compare_models.compare(["nonsense"], NOWHERE)


def write_eval(root, name, checkpoint, value, asked=9):
    """A sealed evaluation of one suite with one score, on `asked` of its nine cases."""
    run = RunFolder(root / name)
    run.path.mkdir(parents=True)
    suite = SuiteInfo(
        name="legal/clauses", title="t", shape="clause given", objective="o", cluster="contract", cases=9, asked=asked,
        hash="h", cases_hash="c", prompt_hash="p", gates_hash="g", scorers_hash="s", slices=[],
        metrics=[Metric(name="clause_recall", scorer="clauses", numerator="tp")],
    )  # fmt: skip
    run.write_manifest(
        Manifest(
            run_id=name,
            kind="eval",
            status="finished",
            started="2026-01-01T00:00:00Z",
            suites=[suite],
            checkpoints={"tuned": checkpoint},
        )
    )
    estimate = Estimate(value=value, low=value - 0.1, high=value + 0.1, n=9)
    run.write_metrics(
        Metrics(metrics=[MetricRow(suite="legal/clauses", variant="tuned", metric="clause_recall", estimate=estimate)])
    )
    run.seal()


def test_scores_are_those_of_the_newest_whole_and_unchanged_runs_of_this_base(tmp_path, tiny_model):
    base = Checkpoint(name="mine", kind="model", path=str(tiny_model.resolve()), digest="d")
    adapter = Checkpoint(name="a", kind="adapter", path=str(tiny_model.resolve()), adapter_path="a", digest="e")
    other = Checkpoint(name="other", kind="model", path="/elsewhere", digest="f")
    for name, checkpoint, value in [
        ("20260101T000000Z-old-1", base, 0.2),
        ("20260102T000000Z-new-2", base, 0.5),
        ("20260103T000000Z-tuned-3", adapter, 0.8),
        ("20260104T000000Z-other-4", other, 0.9),
    ]:
        write_eval(tmp_path / "runs", name, checkpoint, value)
    write_eval(tmp_path / "runs", "20260105T000000Z-part-5", base, 1.0, asked=2)
    write_eval(tmp_path / "runs", "20260106T000000Z-changed-6", base, 0.4)
    metrics = tmp_path / "runs" / "20260106T000000Z-changed-6" / "metrics.json"
    metrics.write_text(metrics.read_text().replace("0.4", "0.9"))
    (found,) = compare_models.compare([str(tiny_model)], tmp_path / "runs")
    assert [(s.tuned, s.value) for s in found.scores] == [(False, 0.5), (True, 0.8)]
    assert "legal/clauses clause_recall 0.800 (0.700 to 0.900), n 9, tuned" in show([found], 140)


def test_the_table_and_the_json_name_every_base_and_say_to_read_the_licence():
    found = compare_models.compare([], NOWHERE)
    assert len(json.loads(compare_models.as_json(found))) == len(found) == len(PUBLISHED)
    shown = show(found, 140)
    assert [name for name in PUBLISHED if name not in shown] == []
    assert "read the licence" in shown and "seen 20" in shown
