"""Answers that are held to choices or to a JSON schema: from the suite to what each engine is sent."""

import json
from pathlib import Path

import pytest

from harness.checkpoints.resolve import resolve
from harness.engines.base import open_engine, request_key
from harness.engines.config import EngineConfig
from harness.engines.fake import FakeEngine
from harness.engines.openai.protocol import body
from harness.engines.vllm.model import sampling_arguments
from harness.errors import UserError
from harness.evaluation.plan import Job, SuiteJob, make_plan, variants
from harness.files import digest
from harness.schema import Checkpoint, Request, Sampling
from harness.suites.discovery import find_suites
from harness.suites.prompts import PlainRenderer
from harness.suites.suite import Suite
from tests.support.mini import TEST, pytest_in, write_script, write_suite

SCHEMA = {"type": "object", "properties": {"b": {"type": "string"}, "a": {"type": "integer"}}}
CHOICE = Sampling(max_tokens=8, choice=("yes", "no"))
HELD = Sampling(max_tokens=8, json_schema=json.dumps(SCHEMA))
VLLM, OTHER = {"owned_by": "vllm"}, {"owned_by": "someone"}


def asking(sampling: Sampling) -> Request:
    return Request(key="k", ids=(1, 2), sampling=sampling, variant="baseline")


def suite_with(root: Path, words: str) -> Suite:
    write_suite(root, test=TEST.replace("max_tokens=8", f"max_tokens=8, {words}"))
    (found,) = find_suites([str(root / "evalsuites")])
    return found


def test_keys_of_free_answers_are_what_they_were_before_structures_existed() -> None:
    """The digests were printed by the version before."""
    checkpoint = Checkpoint(name="c", kind="model", path="/c", digest="d" * 64)
    facts = {"engine": "vllm", "version": "0.32.0"}
    drawn = Sampling(max_tokens=8, temperature=0.7, seed=3, stop_ids=(2, 0), logprobs=True, logprob_ids=(5, 6))
    keys = [
        request_key(checkpoint, facts, (1, 2, 3), Sampling(max_tokens=8)),
        request_key(checkpoint, facts, (1, 2, 3), drawn, repeat=2),
    ]
    assert keys == [
        "2d98ee0c80a31db1cd39743d85a95b97413556ed2d9e4422f9d0df146f07dc59",
        "8d26e583dc85148f705a62ba5a0c0ca70d8a3e61df1fc1498b4aca6ccceb7f72",
    ]
    more = [request_key(checkpoint, facts, (1, 2, 3), how) for how in (CHOICE, HELD)]
    assert len({*keys, *more}) == 4


def test_an_answer_is_held_to_one_thing() -> None:
    with pytest.raises(ValueError, match="not both"):
        Sampling(max_tokens=8, choice=("a",), json_schema="{}")


@pytest.mark.slow
def test_a_suite_says_what_its_answers_are_held_to_and_its_prompt_hash_tells(tmp_path: Path) -> None:
    free = suite_with(tmp_path / "free", "samples=1")
    text = (free.folder / "prompt.jinja").read_text("utf-8")
    assert free.structure == {} and free.prompt_hash == digest([text, 8, 0.0, ()])
    choice = suite_with(tmp_path / "choice", 'choice=["yes", "no"]')
    assert choice.structure == {"choice": ("yes", "no")}
    held = suite_with(tmp_path / "held", f"json_schema={SCHEMA!r}")
    assert held.structure == {"json_schema": json.dumps(SCHEMA)}
    (tmp_path / "file" / "evalsuites" / "legal" / "mini").mkdir(parents=True)
    (tmp_path / "file" / "evalsuites" / "legal" / "mini" / "answer.json").write_text(json.dumps(SCHEMA, indent=4))
    filed = suite_with(tmp_path / "file", 'json_schema="answer.json"')
    assert filed.structure == held.structure and filed.prompt_hash == held.prompt_hash
    assert len({free.prompt_hash, choice.prompt_hash, held.prompt_hash}) == 3


@pytest.mark.parametrize(("words", "expected"), [
    ('choice=["a"], json_schema={}', "only one can be enforced: leave one out"),
    ('choice=["a", "a"]', "has a duplicate or empty text"),
    ('json_schema="nowhere.json"', "nowhere.json: cannot be read as a JSON schema"),
    ('json_schema={"type": "nonsense"}', "not a valid JSON schema"),
])  # fmt: skip
def test_a_faulty_structure_is_refused_in_plain_words(tmp_path: Path, words: str, expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        suite_with(tmp_path, words).prompt_hash  # noqa: B018 - reading it is the check


def test_a_faulty_structure_is_a_usage_error_of_a_whole_run(tmp_path: Path) -> None:
    write_suite(tmp_path, test=TEST.replace("max_tokens=8", 'json_schema={"type": "nonsense"}'))
    write_script(tmp_path, tuned={})
    done = pytest_in(tmp_path, "-q")
    assert done.returncode == 4, done.stdout + done.stderr
    assert "not a valid JSON schema" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr + done.stdout


def test_the_plan_holds_every_question_of_the_suite_to_it(tmp_path: Path) -> None:
    suite = suite_with(tmp_path, 'choice=["holdover", "none"]')
    job = Job(
        suites=[SuiteJob(suite=suite, cases=suite.cases)], candidate="mini", repeats=2, engine=EngineConfig(name="fake")
    )
    asks = list(make_plan(job, dict.fromkeys(variants(job), PlainRenderer())).asks)
    assert len(asks) == 80 and {a.sampling.choice for a in asks} == {("holdover", "none")}


def test_the_fake_engine_takes_the_first_choice_unless_a_reply_is_scripted() -> None:
    (free,) = FakeEngine().generate([asking(CHOICE)])
    (scripted,) = FakeEngine({"k": "perhaps"}).generate([asking(CHOICE)])
    assert (free.text, scripted.text) == ("yes", "perhaps")


def test_vllm_is_sent_the_structure() -> None:
    assert sampling_arguments(CHOICE)["structured_outputs"] == {"choice": ["yes", "no"]}
    assert sampling_arguments(HELD)["structured_outputs"] == {"json": json.dumps(SCHEMA)}
    assert "structured_outputs" not in sampling_arguments(Sampling(max_tokens=8))


def test_servers_of_vllm_are_sent_the_structure_and_others_are_refused() -> None:
    assert body(asking(CHOICE), "m", VLLM)["structured_outputs"] == {"choice": ["yes", "no"]}
    assert body(asking(HELD), "m", VLLM)["structured_outputs"] == {"json": json.dumps(SCHEMA)}
    assert "structured_outputs" not in body(asking(Sampling(max_tokens=8)), "m", VLLM)
    with pytest.raises(UserError, match="need a server that supports structured_outputs, as vLLM does"):
        body(asking(HELD), "m", OTHER)
    assert "structured_outputs" not in body(asking(Sampling(max_tokens=8)), "m", OTHER)


def test_transformers_refuses_with_one_line_before_it_loads_anything(tiny_model: Path) -> None:
    said: list[str] = []
    engine = open_engine(
        EngineConfig(name="transformers", say=said.append), {"baseline": resolve(str(tiny_model))}, max_model_len=64
    )
    with pytest.raises(UserError, match="1 of 1 answers are constrained to choices or a JSON schema, which the engine"):
        list(engine.generate([asking(CHOICE)]))
    assert said == []
