"""Replay rows: general requests that come near no question of the suite, with a checkpoint's own whole answers."""

import json
import os
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from msgspec.structs import replace

import evalsuites.general.basics
from evalsuites.general.basics import replay
from harness.engines.config import EngineConfig
from harness.engines.fake import FakeEngine
from harness.errors import UserError
from harness.progress.progress import Progress
from harness.schema import Case, Completion
from harness.suites.cases import load_cases
from harness.suites.prompts import PlainRenderer, Renderer
from tests.support.answers import answer
from tests.support.command import run_here
from training.curation.check import CheckSettings, Sample
from training.curation.checks import contamination
from training.data.rows import load_rows

SUITE = Path(evalsuites.general.basics.__file__).parent
ROOT = SUITE.parents[2]
ASKED = (SUITE / "cases.jsonl", SUITE / "dev.jsonl", SUITE.with_name("facts") / "cases.jsonl")
QUESTIONS = [case.input["question"] for file in ASKED for case in load_cases(file)]
PROMPTS = [case for request in replay.prompts() for case in request]
COMMON = (
    "a an the is are of in on do does to and or you your that this it for with what which how many much one people "
    "answer give write name only word words sentence mean means same get has have can should now most like them they "
    "two into from by at as when where who choose finish correct translate reply there use"
)
"""Words that say little of what a question is about."""
ELSEWHERE = (
    "law laws legal court contract contracts clause lease landlord tenant deed mortgage loan debt bank invoice tax "
    "taxes price cost costs salary revenue profit dollars insurance policy policies handbook guideline employee "
    "employees refund warranty"
)
"""Words of the domains that other suites are about."""


SUITE_FORM = next(case for case in PROMPTS if case.tags["form"] == replay.SUITE_FORM)


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def near(prompt: str, question: str) -> bool:
    """More than half of the words of both are in both, or the prompt holds all that the question is about."""
    one, other = set(words(prompt)), set(words(question))
    return len(one & other) > 0.5 * len(one | other) or other - set(words(COMMON)) <= one


def texts(cases: list[Case]) -> list[str]:
    return [case.input["question"] for case in cases]


def test_the_bank_has_six_hundred_distinct_prompts_of_many_kinds():
    assert len({" ".join(words(text)) for text in texts(PROMPTS)}) == len(PROMPTS) >= 600
    assert len({case.id for case in PROMPTS}) == len(PROMPTS)
    assert len({case.tags["kind"] for case in PROMPTS}) >= 12
    assert [text for text in texts(PROMPTS) if "{" in text or "}" in text] == []


@pytest.mark.slow
def test_no_prompt_comes_near_a_question_of_the_suite_of_its_dev_cases_or_of_general_facts():
    assert len(QUESTIONS) == 776
    assert [(text, question) for text in texts(PROMPTS) for question in QUESTIONS if near(text, question)] == []


@pytest.mark.parametrize(
    ("prompt", "question"),
    [
        ("WHAT is the capital of france", "What is the capital of France?"),
        ("What is the capital of Spain?", "What is the capital of France?"),
        ("Which city is the capital of France?", "What is the capital of France?"),
        ("Which word is the opposite of hot?", "Give one word that means the opposite of hot."),
        ("Tell me in one short sentence what scissors are and how they cut paper.", "Which scissors cut paper?"),
    ],
)
def test_a_prompt_that_is_nearly_a_question_would_be_found(prompt, question):
    assert near(prompt, question)


def test_no_prompt_is_about_the_domain_of_another_suite():
    assert [text for text in texts(PROMPTS) if set(words(text)) & set(words(ELSEWHERE))] == []


def test_a_third_of_the_prompts_of_each_kind_stands_in_the_suites_prompt():
    in_suite = Counter(case.tags["kind"] for case in PROMPTS if replay.chat(case)[0]["role"] == "system")
    of_kind = Counter(case.tags["kind"] for case in PROMPTS)
    assert set(in_suite) == set(of_kind)
    assert [kind for kind, count in of_kind.items() if not 0.25 <= in_suite[kind] / count <= 0.42] == []


def test_both_forms_end_with_the_request_and_only_the_suites_has_its_system_message():
    chats = {case.tags["form"]: replay.chat(case) for case in replay.prompts()[0]}
    assert [message["role"] for message in chats["bare"]] == ["user"]
    assert [message["role"] for message in chats["suite"]] == ["system", "user"]
    assert chats["suite"][0]["content"] in (SUITE / "prompt.jinja").read_text("utf-8")
    assert chats["bare"][-1]["content"].startswith("What does the word ")


def test_a_seed_draws_an_order_of_requests_and_of_their_values_with_each_once_before_any_again():
    first, other = replay.draw(0), replay.draw(1)
    assert first == replay.draw(0)
    assert sorted(texts(other)) == sorted(texts(PROMPTS))
    requests = len(replay.prompts())
    clusters = [[case.cluster for case in drawn] for drawn in (first, other)]
    assert clusters[0][:requests] != clusters[1][:requests]
    for drawn in clusters:
        assert len(set(drawn[:requests])) == len(set(drawn[requests : 2 * requests])) == requests
    values = [{case.cluster: case.id for case in drawn[:requests]} for drawn in (first, other)]
    assert sum(values[0][name] != values[1][name] for name in values[0]) > requests // 2


def spoilt(at: int) -> Completion:
    """A completion for the prompt at this place: one in three is cut off, every tenth is empty, every 25th failed."""
    if at % 25 == 0:
        return answer("", "error")
    return answer(f"answer {at}", "length" if at % 3 == 0 else "stop") if at % 10 else answer(" \n")


def collected(rows: int) -> tuple[replay.Replay, list[int]]:
    """Rows out of spoilt completions, and how many prompts were asked at a time."""
    waiting = replay.asks(replay.draw(0), PlainRenderer())
    place = {ask.case.id: at for at, ask in enumerate(waiting)}
    asked = []

    def answers(now):
        asked.append(len(now))
        return {ask.case.id: spoilt(place[ask.case.id]) for ask in now}

    return replay.collect(waiting, rows, answers), asked


def test_answers_that_were_cut_off_empty_or_failed_are_dropped_and_the_next_prompts_take_their_place():
    found, asked = collected(50)
    drawn = replay.draw(0)
    fit = [at for at in range(len(drawn)) if at % 25 and at % 10 and at % 3][:50]
    passed = range(fit[-1] + 1)
    assert [row["messages"][-1]["content"] for row in found.rows] == [f"answer {at}" for at in fit]
    assert [row["messages"][-2]["content"] for row in found.rows] == texts([drawn[at] for at in fit])
    assert found.dropped == {
        "failed": sum(at % 25 == 0 for at in passed),
        "empty": sum(at % 25 != 0 and at % 10 == 0 for at in passed),
        "cut off at 64 tokens": sum(at % 25 != 0 and at % 10 != 0 and at % 3 == 0 for at in passed),
    }
    assert asked[0] == 75
    assert sum(asked) >= len(passed)
    assert len(asked) <= 3


def test_a_bank_without_enough_fit_answers_gives_all_it_has():
    found, asked = collected(len(PROMPTS))
    assert sum(asked) == len(PROMPTS) == len(found.rows) + sum(found.dropped.values())


def test_fewer_rows_are_the_first_of_more_and_all_name_their_source():
    rows = collected(20)[0].rows
    assert rows == collected(50)[0].rows[:20]
    assert {row["source"] for row in rows} == {"replay"}


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """Replay of the fake engine, with scripted answers by place in the seed's order."""
    monkeypatch.setenv("TUNEGATE_CACHE", str(tmp_path / "cache"))

    def run(rows: int, answers: dict[int, str], seed: int = 0, brief: bool = False) -> replay.Replay:
        drawn = replay.draw(seed)
        script = tmp_path / "script.json"
        script.write_text(json.dumps({"tuned": {drawn[at].id: text for at, text in answers.items()}}))
        engine = EngineConfig(name="fake", script=script)
        return replay.replay("any", rows, seed, engine=engine, progress=Progress(quiet=True), brief=brief)

    return run


def test_a_row_is_what_the_checkpoint_was_asked_and_what_it_said(ask):
    found = ask(3, {0: "  as it is said\n", 1: "word " * 64 + "word", 2: "", 3: "third", 4: "fourth"})
    drawn = replay.draw(0)
    assert [row["messages"] for row in found.rows] == [
        [*replay.chat(drawn[at]), {"role": "assistant", "content": text}]
        for at, text in ((0, "  as it is said\n"), (3, "third"), (4, "fourth"))
    ]
    assert found.dropped == {"cut off at 64 tokens": 1, "empty": 1}
    assert found.losses == "2 answers dropped: 1 cut off at 64 tokens, 1 empty"


def test_brief_answers_are_given_after_examples_which_the_rows_keep_as_context(ask, monkeypatch):
    prompts = []
    generate = FakeEngine.generate

    def recorded(self, requests):
        prompts.extend(bytes(request.ids).decode() for request in requests)
        return generate(self, requests)

    monkeypatch.setattr(FakeEngine, "generate", recorded)
    result = ask(3, {0: "One of them.", 1: "word " * 64 + "word", 2: "Two.", 3: "Three."}, brief=True)
    drawn = replay.draw(0)
    in_suite = [replay.chat(replace(drawn[at], tags=SUITE_FORM.tags)) for at in (0, 2, 3)]
    assert [row["messages"][:-1] for row in result.rows] == in_suite
    assert [row["messages"][-1]["content"] for row in result.rows] == ["One of them.", "Two.", "Three."]
    assert all(row["base_context"] == replay.brief_examples() for row in result.rows)
    assert {row["source"] for row in result.rows} == {"replay"}
    assert result.losses == "1 answers dropped: 1 cut off at 64 tokens"
    system, question = in_suite[0]
    whole = PlainRenderer().prompt([system, *replay.brief_examples(), question]).text
    assert whole in prompts


def test_no_example_comes_near_a_question_of_the_suite_or_a_prompt_of_the_bank():
    asked = [turn["content"] for turn in replay.brief_examples() if turn["role"] == "user"]
    assert len(asked) == 6
    assert [(text, question) for text in asked for question in QUESTIONS if near(text, question)] == []
    assert [(text, prompt) for text in asked for prompt in texts(PROMPTS) if text == prompt] == []


def test_an_answer_of_exactly_the_limit_is_kept(ask):
    assert ask(1, {0: " ".join(["word"] * replay.MAX_TOKENS)}).losses == "0 answers dropped"


def test_answers_are_kept_in_the_cache_and_are_greedy(ask, tmp_path, monkeypatch):
    first = ask(20, {})
    monkeypatch.setattr("harness.engines.fake.FakeEngine.generate", lambda self, requests: pytest.fail("asked again"))
    assert ask(20, {}) == first
    assert {ask.sampling.temperature for ask in replay.asks(PROMPTS, PlainRenderer())} == {0.0}


@pytest.mark.parametrize("rows", [0, -1, 100_000])
def test_a_number_of_rows_that_the_bank_cannot_give_is_refused(ask, rows):
    with pytest.raises(UserError, match=rf"--rows {rows}: expected a number from 1 to {len(PROMPTS)}"):
        ask(rows, {})


def test_a_checkpoint_whose_answers_are_all_unfit_is_refused(ask):
    with pytest.raises(UserError, match=f"any: {len(PROMPTS)} answers dropped: {len(PROMPTS)} empty, so there is no"):
        ask(5, dict.fromkeys(range(len(PROMPTS)), ""))


def command(*args: str, cache: Path) -> subprocess.CompletedProcess[str]:
    settings = {**os.environ, "TUNEGATE_CACHE": str(cache), "HF_HUB_OFFLINE": "1"}
    return run_here(replay.main, ["replay", *args], ROOT, settings)


def test_the_command_writes_rows_that_training_reads_and_says_what_it_dropped(tmp_path):
    out = tmp_path / "replay.jsonl"
    args = ["--checkpoint", "any", "--engine", "fake", "--out", str(out), "--rows", "30", "--seed", "2"]
    said = command(*args, cache=tmp_path / "cache")
    assert said.stdout == f"30 rows in {out}; 0 answers dropped\n"
    rows = load_rows([str(out)])
    assert [row.messages[-2].content for row in rows] == texts(replay.draw(2)[:30])
    assert {row.document for row in rows} == {"replay"}


def test_a_users_mistake_is_one_line(tmp_path):
    args = ["--checkpoint", "any", "--engine", "fake", "--out", str(tmp_path / "no.jsonl"), "--rows", "0"]
    said = command(*args, cache=tmp_path / "cache")
    assert said.returncode == UserError.exit_code
    assert said.stderr.startswith("--rows 0: expected")
    assert not (tmp_path / "no.jsonl").exists()


def leaks(tmp_path: Path, prompts: list[str]) -> list[int]:
    """Rows with these prompts in which the check of training data finds a case of the suite."""
    file = tmp_path / "rows.jsonl"
    chats = [[{"role": "user", "content": text}, {"role": "assistant", "content": "yes"}] for text in prompts]
    file.write_text("".join(json.dumps({"messages": chat}) + "\n" for chat in chats))
    found = contamination.find(Sample(load_rows([str(file)])), CheckSettings(suites=[str(SUITE)]))
    assert found.skipped == ""
    return [finding.row for finding in found.findings]


@pytest.mark.slow
def test_no_prompt_is_found_to_be_a_case_of_the_suite(tmp_path):
    assert leaks(tmp_path, texts(PROMPTS)) == []
    assert leaks(tmp_path, [*texts(PROMPTS), "what is the CAPITAL of France"]) == [len(PROMPTS)]


@pytest.mark.slow
def test_the_embedded_model_is_held_to_what_it_says_by_itself(tmp_path):
    """Read with the tokens before it, nearly every token of an answer is what the model itself would say next."""
    import torch
    from transformers import AutoModelForCausalLM

    from harness.checkpoints.resolve import embedded_model
    from harness.engines.cache import count_completions

    folder, out, cache = embedded_model(), tmp_path / "replay.jsonl", tmp_path / "cache"
    args = ["--checkpoint", str(folder), "--engine", "transformers", "--out", str(out), "--rows", "3"]
    said = command(*args, cache=cache)
    assert said.stdout.startswith(f"3 rows in {out}; "), said.stderr[-2000:]
    (kept,) = (cache / "answers").iterdir()
    before, written = count_completions(kept), out.read_bytes()
    assert command(*args, cache=cache).returncode == 0
    assert (count_completions(kept), out.read_bytes()) == (before, written)
    renderer, model = Renderer(folder), AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    agreed = []
    for row in load_rows([str(out)]):
        ids, mask = renderer.training(row.chat)
        assert 2 <= sum(mask) <= replay.MAX_TOKENS
        with torch.no_grad():
            likeliest = model(torch.tensor([ids])).logits[0].argmax(-1).tolist()
        agreed += [likeliest[at - 1] == ids[at] for at, learnt in enumerate(mask) if learnt]
    assert sum(agreed) / len(agreed) > 0.96
