"""Checkpoints with other tokenizers or chat templates are compared: each gets its own prompts, and the run says so.

Two tiny models with random weights and other tokenizers answer through transformers, whole runs through.
"""

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.baseline.accept import Acceptance, accept
from harness.checkpoints.resolve import resolve
from harness.engines.config import EngineConfig
from harness.errors import UserError
from harness.evaluation.families import renderers
from harness.evaluation.plan import make_plan, variants
from harness.evaluation.rejudge import regate
from harness.files import digest
from harness.runs.folder import RunData
from harness.schema import ACCEPTED, Record
from harness.suites.prompts import Renderer
from reports.render.terminal import lines
from tests.support.adapters import change_json, save_adapter
from tests.support.mini import TEST, job_of, make_run, rows, suites, write_suite

COMPARED = """[objective]
text = "Find the clauses."

[[gate]]
metric = "clause_recall"
rule = "at_least"
value = 0.01

[[gate]]
metric = "clause_exact_set"
rule = "no_worse"
margin = 0.9
"""
SHORT_TEMPLATE = "{% for m in messages %}{{ m['content'] }} {% endfor %}Answer:"
SAID = Acceptance(reason="the first", accepted_at="2026-01-02T00:00:00Z", although="random weights")
FITTING = TEST.replace("max_tokens=8", "max_tokens=8, leave_out_long=True")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUNEGATE_CACHE", str(tmp_path / "cache"))
    write_suite(tmp_path, rows(12), gates=COMPARED)
    return tmp_path


def compare(root: Path, tuned: Path, baseline: Path | str | None) -> RunData:
    """A whole run, as `tunegate compare` makes it."""
    return make_run(root, **named(tuned, baseline))


def named(tuned: Path, baseline: Path | str | None) -> dict[str, Any]:
    """The fields of the job that compares two models."""
    return {
        "candidate": str(tuned),
        "baseline": None if baseline is None else str(baseline),
        "engine": EngineConfig(name="transformers"),
    }


def copy(model: Path, out: Path, template: str | None = None) -> Path:
    """A copy of a model folder, with another chat template where one is given."""
    shutil.copytree(model, out)
    if template is not None:
        (out / "chat_template.jinja").write_text(template)
    return out


def adapter_with(base: Path, out: Path, template: str) -> Path:
    """An adapter of the base that brings the base's tokenizer with another chat template."""
    save_adapter(base, out)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(base / name, out / name)
    (out / "chat_template.jinja").write_text(template)
    return out


def prompts(folder: Path, cases: Sequence[str]) -> dict[str, str]:
    """By case, the hash of the token ids of the suite's prompt as transformers alone renders it."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    found = {}
    for case in cases:
        chat = [{"role": "user", "content": f"Which clauses? Contract {case[1:]}."}]
        found[case] = digest(list(tokenizer.apply_chat_template(chat, add_generation_prompt=True)["input_ids"]))
    return found


def of(made: RunData, variant: str) -> dict[str, Record]:
    return {r.case.id: r for r in made.records if r.variant == variant}


def hashes(made: RunData, variant: str) -> dict[str, str]:
    return {name: record.prompt_hash for name, record in of(made, variant).items()}


CASES = [f"c{i}" for i in range(12)]


def test_two_families_are_compared_each_with_prompts_of_its_own_and_the_run_and_the_terminal_say_so(
    root: Path, tiny_models: dict[str, Path]
) -> None:
    made = compare(root, tiny_models["llama3"], tiny_models["qwen"])
    assert made.manifest.status == "finished" and not any(r.error for r in made.records)
    assert hashes(made, "baseline") == prompts(tiny_models["qwen"], CASES)
    assert hashes(made, "tuned") == prompts(tiny_models["llama3"], CASES)
    assert {v.rule: v.outcome for v in made.verdicts}["no_worse"] in ("pass", "fail", "inconclusive")
    exact = next(c.comparison for c in made.metrics.comparisons if c.comparison.metric == "clause_exact_set")
    assert exact.difference.n == 12
    said = (
        f"{tiny_models['qwen']} (baseline) and {tiny_models['llama3']} (tuned) have different tokenizers and chat "
        "templates, so each received prompts of its own: the token IDs differ for 12 of 12 cases. Answers are paired "
        "by case ID and input"
    )
    assert said in made.manifest.notes
    assert made.manifest.own_prompts(made.manifest.suites[0])
    assert said.replace(" ", "") in "".join(lines(made, 110)).replace(" ", "")


def test_models_of_one_family_still_receive_identical_token_ids(root: Path, tiny_models: dict[str, Path]) -> None:
    made = compare(root, save_adapter(tiny_models["qwen"], root / "adapter"), tiny_models["qwen"])
    assert hashes(made, "tuned") == hashes(made, "baseline") == prompts(tiny_models["qwen"], CASES)
    assert made.manifest.notes == []
    assert not made.manifest.own_prompts(made.manifest.suites[0])


def test_models_with_one_tokenizer_keep_their_own_stop_tokens_and_context(root: Path, tiny_model: Path) -> None:
    """The tuned model's limits on the baseline would cut or lengthen its answers."""
    longer = copy(tiny_model, root / "longer")
    change_json(longer / "config.json", max_position_embeddings=4096)
    (own,) = {*range(10)} - {*Renderer(tiny_model).stop_ids, *range(9)}
    (longer / "generation_config.json").write_text(json.dumps({"eos_token_id": [own]}))
    checkpoints = {"baseline": resolve(str(tiny_model)), "tuned": resolve(str(longer))}
    used = renderers(EngineConfig(name="transformers"), checkpoints)
    for variant, folder in (("baseline", tiny_model), ("tuned", longer)):
        alone = Renderer(folder)
        assert (used[variant].stop_ids, used[variant].max_positions) == (alone.stop_ids, alone.max_positions)
    before, after = sorted(Renderer(tiny_model).stop_ids), sorted(Renderer(longer).stop_ids)
    made = compare(root, longer, tiny_model)
    assert hashes(made, "tuned") == hashes(made, "baseline")
    (note,) = made.manifest.notes
    said = (
        f"stop tokens (IDs {before} and {after}) and context lengths ({Renderer(tiny_model).max_positions:,} and 4,096 "
    )
    assert said in note


def test_stop_tokens_are_the_same_with_and_without_a_generation_config(root: Path, tiny_model: Path) -> None:
    stating, silent = copy(tiny_model, root / "stating"), copy(tiny_model, root / "silent")
    stated = json.loads((stating / "config.json").read_text())["eos_token_id"]
    (stating / "generation_config.json").write_text(json.dumps({"eos_token_id": stated}))
    (silent / "generation_config.json").unlink(missing_ok=True)
    assert Renderer(stating).limits == Renderer(silent).limits


def test_an_adapter_shares_the_renderer_of_its_base(root: Path, tiny_model: Path) -> None:
    both = {"baseline": resolve(str(tiny_model)), "tuned": resolve(str(save_adapter(tiny_model, root / "adapter")))}
    used = renderers(EngineConfig(name="transformers"), both)
    assert list(used) == list(both) and used["baseline"] is used["tuned"]


@pytest.mark.parametrize("is_compared", [True, False])
def test_an_adapter_with_another_chat_template_than_its_base_is_named(
    root: Path, tiny_model: Path, is_compared: bool
) -> None:
    """An easier prompt for the tuned model alone must be seen."""
    adapter = adapter_with(tiny_model, root / "adapter", SHORT_TEMPLATE)
    made = compare(root, adapter, tiny_model if is_compared else None)
    assert hashes(made, "tuned") == prompts(adapter, CASES)
    *differ, own = made.manifest.notes
    said = f"{adapter} (tuned): the adapter brings another chat template than its base model; its prompts are rendered"
    assert own.startswith(said) and len(differ) == is_compared
    if is_compared:
        assert hashes(made, "baseline") == prompts(tiny_model, CASES)
        assert "have different chat templates, so each" in differ[0]


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{before}{# a comment #}", "chat templates, but the token IDs of all 12 prompts are the same"),
        (SHORT_TEMPLATE, "The weights are the same, so the prompts are all that differs"),
    ],
)
def test_of_the_same_weights_with_another_chat_template_it_is_said_what_differs(
    root: Path, tiny_model: Path, template: str, said: str
) -> None:
    before = (tiny_model / "chat_template.jinja").read_text()
    made = compare(root, copy(tiny_model, root / "twin", template.replace("{before}", before)), tiny_model)
    (note,) = made.manifest.notes
    assert said in note


def test_a_case_too_long_for_one_of_them_names_that_one(root: Path, tiny_models: dict[str, Path]) -> None:
    small = copy(tiny_models["llama3"], root / "small")
    change_json(small / "config.json", max_position_embeddings=30)
    for tuned, baseline, who in ((tiny_models["qwen"], small, "baseline"), (small, tiny_models["qwen"], "tuned")):
        with pytest.raises(UserError, match=rf"cases longer than the 30 tokens of '{who}' with the answer"):
            compare(root, tuned, baseline)


def test_cases_that_the_baseline_cannot_read_are_left_out_of_it_and_nothing_is_compared(
    root: Path, tiny_models: dict[str, Path]
) -> None:
    """The tuned model still answers them: a baseline with a short context must not make its test easier."""
    write_suite(root, rows(12), test=FITTING, gates=COMPARED)
    small = copy(tiny_models["llama3"], root / "small")
    longest = max(len(ids) for ids in token_ids(small))
    change_json(small / "config.json", max_position_embeddings=longest + 7)
    made = compare(root, tiny_models["qwen"], small)
    long = [c for c, ids in zip(CASES, token_ids(small), strict=True) if len(ids) == longest]
    assert set(of(made, "tuned")) == set(CASES) and set(of(made, "baseline")) == set(CASES) - set(long)
    assert made.manifest.suites[0].left_out == []
    share = f"{len(long)} of 12 cases ({len(long) / 12:.1%})"
    said = f"legal/mini: {share} are longer than the baseline's {longest + 7} tokens"
    assert any(note.startswith(said) for note in made.manifest.notes)
    (no_worse,) = [v for v in made.verdicts if v.rule == "no_worse"]
    assert no_worse.outcome == "skipped" and f"answered only {12 - len(long)} of 12 cases" in no_worse.reason


def token_ids(folder: Path) -> list[tuple[int, ...]]:
    chats = [[{"role": "user", "content": f"Which clauses? Contract {i}."}] for i in range(12)]
    return [Renderer(folder).prompt(chat).ids for chat in chats]


def test_a_template_that_fails_is_one_line_that_names_the_variant(root: Path, tiny_models: dict[str, Path]) -> None:
    odd = copy(tiny_models["llama3"], root / "odd", "{{ raise_exception('only tools') }}")
    said = rf"^baseline: {re.escape(str(odd))}: the chat template cannot be used: .*only tools"
    with pytest.raises(UserError, match=said):
        compare(root, tiny_models["qwen"], odd)


@pytest.mark.slow
def test_an_accepted_baseline_of_another_family_is_compared_and_said(root: Path, tiny_models: dict[str, Path]) -> None:
    before = compare(root, tiny_models["qwen"], None)
    accept(before.path, suites(root), SAID)
    made = compare(root, tiny_models["llama3"], ACCEPTED)
    (info,) = made.manifest.suites
    assert info.accepted is not None and info.accepted.unlike == [] and info.accepted.own_prompts
    assert made.manifest.moved == [] and made.metrics.comparisons
    said = "legal/mini: the accepted baseline has another tokenizer or chat template: the token IDs differ for 12 of 12"
    assert any(note.startswith(said) for note in made.manifest.notes)
    asked = {name: record.prompt_hash[:16] for name, record in of(before, "tuned").items()}
    assert hashes(made, "baseline") == asked
    live = compare(root, tiny_models["llama3"], tiny_models["qwen"])
    assert made.verdicts == live.verdicts and made.metrics == live.metrics


def test_changed_cases_are_still_refused_across_families(root: Path, tiny_models: dict[str, Path]) -> None:
    accept(compare(root, tiny_models["qwen"], None).path, suites(root), SAID)
    cases = rows(12)
    cases[3]["input"] = {"document": "Contract 3, changed."}
    write_suite(root, cases, gates=COMPARED)
    made = compare(root, tiny_models["llama3"], ACCEPTED)
    (no_worse,) = [v for v in made.verdicts if v.rule == "no_worse"]
    assert no_worse.outcome == "error" and "changed in the input (c3)" in no_worse.reason


@pytest.mark.slow
def test_judging_again_with_an_accepted_baseline_of_another_family_says_so_too(
    root: Path, tiny_models: dict[str, Path]
) -> None:
    accept(compare(root, tiny_models["qwen"], None).path, suites(root), SAID)
    alone = compare(root, tiny_models["llama3"], None)
    found = regate(alone.path, suites(root), None, ACCEPTED).run
    (no_worse,) = [v for v in found.verdicts if v.rule == "no_worse"]
    assert no_worse.outcome in ("pass", "fail", "inconclusive")
    assert any("the accepted baseline has another tokenizer or chat template" in n for n in found.manifest.notes)


def test_each_option_of_a_question_has_the_first_token_of_its_own_family(
    root: Path, tiny_models: dict[str, Path]
) -> None:
    write_suite(root, rows(12), test=TEST.replace("max_tokens=8", 'max_tokens=8, options=["A", "B"]'))
    job = job_of(root, **named(tiny_models["llama3"], tiny_models["qwen"]))
    found = make_plan(job, renderers(job.engine, variants(job))).asks
    for variant, family in (("baseline", "qwen"), ("tuned", "llama3")):
        vocabulary = json.loads((tiny_models[family] / "tokenizer.json").read_text())["model"]["vocab"]
        (ids,) = {ask.sampling.logprob_ids for ask in found.of(variant)}
        assert ids == (vocabulary["A"], vocabulary["B"])
        ends = {ask.sampling.stop_ids for ask in found.of(variant)}
        generation = json.loads((tiny_models[family] / "generation_config.json").read_text())
        assert all(set(generation["eos_token_id"]) <= set(end) for end in ends)
