"""The adapter is chosen by what the model answers to a suite's validation cases, and what it forgets stands beside."""

import json
from contextlib import nullcontext

import pytest

from harness.engines.base import failed
from harness.engines.transformers.generate import Answerer
from harness.errors import UserError
from harness.runs.folder import load_run
from harness.schema import Estimate, Metric
from harness.suites.prompts import Renderer
from tests.conftest import save_tiny_model
from tests.support.mini import TEST, rows, write_suite
from tests.support.training_process import weights
from tests.training.conftest import quiet
from tests.training.data.test_general_text import FILE
from tests.training.test_run import stop_at
from training import loop
from training import model as models
from training.config_file import load
from training.data.rows import some_rows
from training.data.tokenize import general_documents
from training.distributed import accelerator
from training.job import prepare
from training.run import Interrupted, train
from training.validation import Validation, is_better

RECALL = Metric(name="recall", scorer="s", numerator="found", denominator="expected")
FEWER = Metric(name="alarms", scorer="s", numerator="invented", denominator="none", higher_is_better=False)


def value(number):
    return Estimate(value=number, n=10, reason=None if number is not None else "nothing was scored")


def measured(loss=None, task=None):
    return Validation(validation_loss=loss, task=None if task == "none" else value(task))


@pytest.fixture
def suite(tmp_path):
    """A suite of clauses, and a file of validation cases beside it."""
    folder = write_suite(tmp_path, test=TEST.replace("max_tokens=8", "max_tokens=24"))
    held_out = [case | {"id": f"v{i}", "input": {"document": f"Held out {i}."}} for i, case in enumerate(rows(12))]
    (tmp_path / "dev.jsonl").write_text("\n".join(json.dumps(case) for case in held_out))
    return folder


@pytest.fixture
def asked(suite):
    """Settings that choose by the suite's recall."""
    return {"select__suite": str(suite), "select__cases": ["dev.jsonl"], "select__metric": "clause_recall"}


def scripted(monkeypatch, values):
    """Let the model's answers be worth these values, evaluation by evaluation; returns how often it was asked."""
    calls = []

    def ask(model, questions, accelerator):
        calls.append(questions.metric.name)
        return value(values[len(calls) - 1])

    monkeypatch.setattr(loop, "score_questions", ask)
    return calls


@pytest.mark.slow
def test_the_best_metric_is_kept_though_loss_and_last_step_say_otherwise(write_config, asked, monkeypatch):
    """Step 0 is the base model and never kept, however good; the loss is lowest at another step than the metric."""
    scripted(monkeypatch, [0.9, 0.2, 0.7, 0.4])
    folder = train(write_config(**asked), progress=quiet)
    run = load_run(folder)
    losses = {r["step"]: r["validation_loss"] for r in run.train_log if r["step"] and "validation_loss" in r}
    assert min(losses, key=losses.get) == 6
    record = run.manifest.training
    assert record["best_step"] == 4
    assert record["chosen_by"] == "highest clause recall of legal/mini"
    assert record["selection"] == {
        "suite": "legal/mini", "metric": "clause_recall", "higher_is_better": True, "is_share": True, "cases": 12,
        "before": pytest.approx(record["selection"]["before"]), "best": pytest.approx(record["selection"]["best"]),
    }  # fmt: skip
    assert (record["selection"]["before"]["value"], record["selection"]["best"]["value"]) == (0.9, 0.7)
    assert [(r["step"], r["task_metric"], r["best"]) for r in run.train_log if "task_metric" in r] == [
        (0, 0.9, False), (2, 0.2, True), (4, 0.7, True), (6, 0.4, False),
    ]  # fmt: skip
    by_loss = train(write_config(), progress=quiet)
    assert weights(folder) != weights(by_loss)
    short = train(write_config(train__validate_every=6, train__epochs=1, optim__schedule="cosine"), progress=quiet)
    assert weights(short) == weights(by_loss)


@pytest.mark.slow
def test_the_kept_weights_are_those_of_the_chosen_step(write_config, asked, monkeypatch):
    """A constant rate, so that a training that ends at the chosen step made the same weights."""
    scripted(monkeypatch, [0.0, 0.2, 0.7, 0.4])
    steady = {"optim__schedule": "constant", "optim__warmup_ratio": 0.0}
    chosen = train(write_config(**asked, **steady), progress=quiet)
    ended = train(write_config(train__max_steps=4, data__validation=[], **steady), progress=quiet)
    assert weights(chosen) == weights(ended)


@pytest.mark.slow
def test_patience_counts_evaluations_without_a_better_metric(write_config, asked, monkeypatch):
    calls = scripted(monkeypatch, [0.0, 0.5, 0.4, 0.5, 0.9])
    config = write_config(train__max_steps=20, train__patience=2, data__validation=[], **asked)
    record = load_run(train(config, progress=quiet)).manifest.training
    assert (record["stopped_early"], record["steps"], record["best_step"], len(calls)) == (True, 6, 2, 4)


def test_patience_that_ends_with_the_last_step_stops_nothing(write_config, asked, monkeypatch):
    scripted(monkeypatch, [0.0, 0.5, 0.4])
    config = write_config(train__max_steps=4, train__patience=1, data__validation=[], **asked)
    record = load_run(train(config, progress=quiet)).manifest.training
    assert (record["stopped_early"], record["steps"], record["best_step"]) == (False, 4, 2)


@pytest.mark.slow
def test_a_real_model_is_asked_and_scored_as_it_learns(write_config, write_rows, sharp_model, suite, tmp_path):
    """It learns to say one clause to everything: half of the answers are then right, and none before."""
    cases = [case | {"id": f"v{i}", "expected": ["holdover"]} for i, case in enumerate(rows(8))]
    for number, case in enumerate(cases):
        case["input"] = {"document": f"Held out {number}."}
        case["expected"] = ["holdover"] if number % 2 else ["as is"]
        case["tags"] = {"instrument": "lease", "kind": "clause"}
    write_rows("dev.jsonl", cases)
    config = write_config(
        base=sharp_model, train__max_steps=100, train__validate_every=50, data__validation=[], optim__lr=0.002,
        lora__r=16, lora__alpha=32,
        select__suite=str(suite), select__cases=["dev.jsonl"], select__metric="clause_recall",
    )  # fmt: skip
    write_rows(
        "train.jsonl", [{"instruction": f"Which clauses? Held out {n}.", "output": "as is"} for n in range(40, 44)]
    )
    record = load_run(train(config, progress=quiet)).manifest.training
    assert record["selection"]["before"]["value"] == 0
    assert record["selection"]["best"]["value"] == 0.5
    assert 0 < record["selection"]["best"]["low"] < 0.5 < record["selection"]["best"]["high"] < 1


def test_a_resumed_run_has_as_many_answers_to_each_validation_case(write_config, asked, suite):
    config = write_config(**asked)
    before = prepare(load(config), quiet).fingerprint
    file = suite / "test_mini.py"
    file.write_text(file.read_text("utf-8").replace("max_tokens=24", "max_tokens=24, samples=2"), "utf-8")
    after = prepare(load(config), quiet).fingerprint
    assert {key for key in before if before[key] != after[key]} == {"select cases"}


def test_a_bfloat16_model_with_a_head_trained_in_full_is_asked(write_config, asked, tmp_path, monkeypatch):
    """The head is float32; every answer had failed, and the loss had chosen the adapter."""
    base = save_tiny_model(tmp_path / "untied", tie_word_embeddings=False)
    job = prepare(load(write_config(base=base, lora__modules_to_save=["lm_head"], **asked)), quiet)
    model = models.load(base, job.config.lora, "bfloat16", 0)
    errors, answers = [], Answerer.answers

    def ask(self, model, requests):
        for completion in answers(self, model, requests):
            errors.append(completion.error)
            yield completion

    monkeypatch.setattr(Answerer, "answers", ask)
    loop.score_questions(model, job.held.select, accelerator())
    assert errors == [None] * 12


def test_cases_that_the_model_cannot_answer_are_said_and_choose_nothing(write_config, asked, monkeypatch, capsys):
    monkeypatch.setattr(Answerer, "run", lambda self, model, batch: [failed(request, "no room") for request in batch])
    record = load_run(train(write_config(train__max_steps=1, **asked))).manifest.training
    said = capsys.readouterr().err
    reason = "the engine or the scorer failed on 12 of 12 answers (100.0%); the cap is 1%; the first: no room"
    for when in ("before the first step", "after step 1"):
        assert f"[select] was not measured {when}: {reason}" in said
    assert record["chosen_by"] == "lowest validation loss"


@pytest.mark.slow
def test_what_is_forgotten_is_recorded_and_chooses_nothing(write_config, asked, suite, monkeypatch):
    general = {"forgetting__suite": str(suite), "forgetting__cases": ["dev.jsonl"]}
    config = write_config(**general, forgetting__metric="clause_exact_set")
    run = load_run(train(config, progress=quiet))
    found = run.manifest.training["forgetting"]
    kept = next(r for r in run.train_log if r["step"] == run.manifest.training["best_step"] and "general_loss" in r)
    first = run.train_log[0]
    assert first["step"] == 0 and found["before"] == first["general_loss"] > 0
    assert found["after"] == kept["general_loss"] != found["before"]
    assert (found["cases"]["metric"], found["cases"]["cases"]) == ("clause_exact_set", 12)
    assert found["cases"]["best"]["value"] is not None
    assert run.manifest.training["selection"] is None
    assert run.manifest.training["chosen_by"] == "lowest validation loss"


def test_the_loss_on_general_text_before_is_what_transformers_computes(write_config, tiny_model, monkeypatch):
    import torch
    from transformers import AutoModelForCausalLM

    monkeypatch.setattr("training.data.tokenize.GENERAL_TEXT", FILE)

    found = load_run(train(write_config(train__max_steps=1), progress=quiet)).manifest.training["forgetting"]
    model = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    total = count = 0
    for document in general_documents(Renderer(tiny_model)):
        ids = torch.tensor([document.ids])
        with torch.no_grad():
            total += float(model(input_ids=ids, labels=ids).loss) * (len(document.ids) - 1)
        count += len(document.ids) - 1
    assert count > 1000
    assert found["before"] == pytest.approx(total / count, rel=1e-5)


@pytest.mark.parametrize(
    ("metric", "now", "best", "better"),
    [
        (RECALL, measured(2.0, 0.6), measured(1.0, 0.5), True),
        (RECALL, measured(1.0, 0.5), measured(2.0, 0.6), False),
        (RECALL, measured(1.0, 0.5), measured(2.0, 0.5), True),
        (RECALL, measured(2.0, 0.5), measured(2.0, 0.5), False),
        (RECALL, measured(1.0, None), measured(2.0, 0.0), False),
        (FEWER, measured(2.0, 0.1), measured(1.0, 0.5), True),
        (FEWER, measured(1.0, 0.5), measured(1.0, 0.1), False),
        (None, measured(1.0, "none"), measured(2.0, "none"), True),
        (None, measured(2.0, "none"), measured(2.0, "none"), False),
        (RECALL, measured(2.0, 0.1), None, True),
    ],
)
def test_metric_then_loss_then_the_earlier_step(metric, now, best, better):
    assert is_better(now, best, metric) is better


@pytest.mark.slow
def test_an_interrupted_training_goes_on_with_its_best_and_what_was_before(write_config, asked, monkeypatch):
    scripted(monkeypatch, [0.1, 0.2, 0.7, 0.4])
    config = write_config(**asked)
    whole = load_run(train(config, progress=quiet)).manifest.training
    scripted(monkeypatch, [0.1, 0.2, 0.7, 0.4])
    with pytest.raises(Interrupted):
        train(config, progress=stop_at(5), fresh=True)
    scripted(monkeypatch, [0.4])
    again = load_run(train(config, progress=quiet, fresh=False)).manifest.training
    for key in ("best_step", "selection", "forgetting", "best_validation_loss"):
        assert again[key] == whole[key]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"select__metric": "clause_recal"}, "did you mean 'clause_recall'"),
        ({"select__metric": ""}, "'select.metric' is missing"),
        ({"select__cases": []}, "'select.cases' is missing"),
        ({"select__cases": ["gone.jsonl"]}, "gone.jsonl, which is not a file"),
        ({"select__suite": "nowhere"}, "nowhere, which does not exist"),
        ({"select__suite": ""}, "'select.suite' is missing"),
        ({"select__cases": ["evalsuites/legal/mini/cases.jsonl"]}, "a test case must not select the adapter"),
        ({"data__rows": 13}, "there are 12 training rows"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_a_weight_is_loaded(write_config, asked, change, named, monkeypatch):
    monkeypatch.setattr("training.model.load", lambda *a: pytest.fail("weights were loaded"))
    with pytest.raises(UserError, match=named):
        train(write_config(**(asked | change)), progress=quiet)


@pytest.mark.slow
def test_a_test_case_with_another_space_or_an_unused_value_is_still_one(write_config, write_rows, asked):
    config = write_config(**asked)
    write_rows("dev.jsonl", [rows(1)[0] | {"input": {"document": " Contract  0. ", "note": "unused"}}])
    with pytest.raises(UserError, match="'c0' is the test case 'c0' of legal/mini"):
        train(config, progress=quiet)


def test_a_suite_that_constrains_its_answers_is_refused(write_config, asked, suite):
    file = suite / "test_mini.py"
    file.write_text(file.read_text("utf-8").replace("max_tokens=24", 'max_tokens=24, choice=["as is"]'), "utf-8")
    with pytest.raises(UserError, match=r"legal/mini, which constrains its answers .* Leave \[select\] out"):
        prepare(load(write_config(**asked)), quiet)


def test_rows_that_are_cut_and_cases_that_are_left_out_are_said(write_config, write_rows, asked, suite):
    file = suite / "test_mini.py"
    file.write_text(file.read_text("utf-8").replace("max_tokens=24", "max_tokens=24, leave_out_long=True"), "utf-8")
    config = write_config(**asked)
    write_rows("validation.jsonl", [{"instruction": "Who pays? " * 100, "output": "none"}])
    write_rows("dev.jsonl", [case | {"input": {"document": "Held out. " * 300**n}} for n, case in enumerate(rows(2))])
    said = []
    job = prepare(load(config), said.append)
    assert f"training: 1 validation row lost {job.validation.tokens_cut} tokens of prompts that are too long" in said
    assert "training: [select] leaves out 1 case longer than the model's context" in said
    assert job.held.select.facts["cases"] == 1


def turns(*questions):
    return [{"role": who, "content": text} for q in questions for who, text in (("user", q), ("assistant", "as is"))]


ASKED = "Which clauses? Held out 3."


@pytest.mark.parametrize(("row", "template", "is_refused"), [
    ({"instruction": ASKED.replace("d o", "d\u00a0 o"), "output": "as is"}, None, True),
    ({"messages": turns(ASKED, "Hello.")}, None, True),
    ({"messages": turns("Hello.", ASKED)}, None, True),
    ({"messages": turns("Hello."), "base_context": turns(ASKED), "source": "replay"}, None, True),
    ({"messages": turns(ASKED)}, '{% set system = "Be brief." %}Which clauses? {{ document }}', True),
    ({"messages": turns("Which clauses?")}, "{% set system = document %}Which clauses?", False),
])  # fmt: skip
def test_a_training_row_that_asks_what_a_validation_case_asks_is_refused(
    write_config, write_rows, asked, suite, row, template, is_refused
):
    config = write_config(**asked)
    write_rows("train.jsonl", [row])
    write_rows("dev.jsonl", [rows(1)[0] | {"id": "v3", "input": {"document": "Held out 3."}}])
    if template:
        (suite / "prompt.jinja").write_text(template)
    refused = pytest.raises(UserError, match=r"case 'v3' has the prompt of the training row .*train.jsonl:1")
    with refused if is_refused else nullcontext():
        prepare(load(config), quiet)


def test_fewer_rows_are_part_of_more_and_keep_their_order():
    everything = list(range(100))
    small, large = some_rows(everything, 10, 3), some_rows(everything, 60, 3)
    assert set(small) < set(large) and small == sorted(small) and len(small) == 10
    assert some_rows(everything, 10, 4) != small
    assert some_rows(everything, None, 3) == everything


@pytest.mark.slow
def test_an_unfinished_run_knows_the_direction_of_its_metric(write_config, asked, monkeypatch):
    scripted(monkeypatch, [0.5] * 4)
    config = write_config(**asked | {"select__metric": "false_alarm_rate"})
    with pytest.raises(Interrupted):
        train(config, progress=stop_at(3))
    (folder,) = (config.parent / "runs").glob("*/")
    assert load_run(folder).manifest.training["selection"] == {
        "suite": "legal/mini", "metric": "false_alarm_rate", "higher_is_better": False, "cases": 12,
        "before": None, "best": None,
    }  # fmt: skip
