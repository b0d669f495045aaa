"""A scripted attack: every way that we could think of to get a green light for a model that failed. None may succeed.

The attacker may change suites, policy, runs and weights, and seal runs again, since a seal has no key. What is left is
in docs/threat-model.md: whoever may write the run folders can put right answers there that no model gave.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from harness.approval.approve import approve
from harness.approval.evidence import Where
from harness.checkpoints.resolve import resolve
from harness.errors import UserError
from harness.files import digest
from harness.runs.folder import SEAL, RunFolder, load_manifest, stream
from harness.runs.score_events import append
from harness.schema import Checkpoint, Score, ScoreEvent
from tests.attacks.project import EASY, Target
from tests.conftest import save_tiny_model
from tests.support.adapters import change_json, save_adapter
from tests.support.command import tunegate
from tests.support.gated import PASS_ON_BOTH, after, approve_of, change, checkpoint_of, reseal, wrong
from tests.support.mini import right, rows, write_script

FAILED = "has 2 of 2 gates not passed"
NO_RUN = "no run in .* evaluated these weights on it"
JUDGED_AGAIN = "its answers judged again, has . of 2 gates not passed"
Attack = Callable[[Target], None]
ATTACKS: dict[str, tuple[Attack, str]] = {}
"""What is tried, how, and why it is refused."""


def attack(refused: str) -> Callable[[Attack], Attack]:
    """Take a function into the table; its name says what is tried."""

    def take(function: Attack) -> Attack:
        ATTACKS[function.__name__.replace("_", " ")] = (function, refused)
        return function

    return take


# Another run in place of the one that counts.


@attack(FAILED)
def another_suite_passes_later(target: Target) -> None:
    target.second_suite()
    target.evaluate(1, answers=wrong(), suites=["legal/easy"])


@attack(NO_RUN)
def only_a_suite_that_nobody_requires_was_run(target: Target) -> None:
    shutil.rmtree(target.runs)
    target.second_suite()
    target.evaluate(answers=wrong(), suites=["legal/easy"])


@attack(FAILED)
def the_easy_suite_is_asked_for_by_name(target: Target) -> None:
    another_suite_passes_later(target)
    target.words = ("--suite", str(target.suites / "legal" / "easy"))


@attack(FAILED)
def an_earlier_pass_before_the_fail(target: Target) -> None:
    change(target.run, lambda m: msgspec.structs.replace(m, started=after(2)))
    target.evaluate(1)


@attack(FAILED)
def an_earlier_pass_in_a_folder_with_a_newer_name(target: Target) -> None:
    an_earlier_pass_before_the_fail(target)
    oldest = min((f for f in target.runs.iterdir() if f.is_dir()), key=lambda f: load_manifest(f).started)
    oldest.rename(target.runs / f"99{oldest.name}")


@attack("is in the future")
def a_pass_by_a_clock_that_runs_ahead(target: Target) -> None:
    shutil.rmtree(target.runs)
    target.evaluate(1)
    (passed,) = (folder for folder in target.runs.iterdir() if folder.is_dir())
    change(passed, lambda m: msgspec.structs.replace(m, started=after(60 * 24)))


@attack("may claim no verdict: run.json changed after")
def a_copy_of_an_earlier_pass_that_says_it_is_newer(target: Target) -> None:
    an_earlier_pass_before_the_fail(target)
    oldest = min((f for f in target.runs.iterdir() if f.is_dir()), key=lambda f: load_manifest(f).started)
    copy = shutil.copytree(oldest, target.runs / "20280101T080000Z-eval-00000000")
    target.manifest(lambda m: m.update(started=after(3), run_id=copy.name), copy)


@attack("is a renamed copy of run")
def a_copy_of_an_earlier_pass_sealed_again_under_its_old_id(target: Target) -> None:
    an_earlier_pass_before_the_fail(target)
    oldest = min((f for f in target.runs.iterdir() if f.is_dir()), key=lambda f: load_manifest(f).started)
    copy = shutil.copytree(oldest, target.runs / "20280101T080000Z-eval-00000000")
    change(copy, lambda m: msgspec.structs.replace(m, started=after(3)))


@attack("may claim no verdict: the run was not sealed")
def the_failed_run_loses_its_seal_and_an_earlier_one_passed(target: Target) -> None:
    an_earlier_pass_before_the_fail(target)
    (target.run / SEAL).unlink()


@attack(NO_RUN)
def a_run_of_other_weights_is_replayed(target: Target) -> None:
    shutil.rmtree(target.runs)
    target.evaluate(weights=save_adapter(target.base, target.root / "good", seed=7))


@attack("run.json changed after the run was sealed")
def a_replayed_run_gets_the_digest_of_these_weights(target: Target) -> None:
    a_run_of_other_weights_is_replayed(target)
    wanted = json.loads(msgspec.json.encode(checkpoint_of(target.adapter)))
    target.manifest(lambda m: m["checkpoints"].update(tuned=wanted))


@attack(FAILED)
def a_run_of_the_fake_engine_under_the_name_of_the_adapter(target: Target) -> None:
    script = write_script(target.root, tuned=right(rows()))
    done = tunegate(target.root, "compare", "base", str(target.adapter), "--engine", "fake", "--script", str(script))
    assert done.returncode == 0, done.stderr


@attack(NO_RUN)
def a_model_against_itself(target: Target) -> None:
    shutil.rmtree(target.runs)
    target.evaluate(baseline=target.adapter)


@attack("used a server with unknown weights")
def a_server_that_has_the_name_of_the_adapter(target: Target) -> None:
    own = checkpoint_of(target.adapter)
    named = Checkpoint(name=own.name, kind="endpoint", path=own.path, digest=own.digest, pinned_by="name")
    target.evaluate(1, weights=named)


@attack("trusted a server to have the weights")
def a_server_that_is_only_trusted(target: Target) -> None:
    target.evaluate(1, weights=msgspec.structs.replace(checkpoint_of(target.adapter), pinned_by="trusted canary"))


# A run that is not what it says.


@attack("verdicts.json changed after the run was sealed")
def verdicts_are_edited(target: Target) -> None:
    target.say_pass()


@attack(JUDGED_AGAIN)
def verdicts_are_edited_and_the_run_is_sealed_again(target: Target) -> None:
    target.say_pass(again=True)


@attack("at_least-0.5: not judged")
def verdicts_are_cut_to_one_that_passed(target: Target) -> None:
    target.say_pass()
    file = target.run / "verdicts.json"
    file.write_text(json.dumps(json.loads(file.read_text())[:1]))
    reseal(target.run)


@attack("at_least-0.5: not judged")
def verdicts_are_emptied_and_the_run_is_sealed_again(target: Target) -> None:
    (target.run / "verdicts.json").write_text("[]")
    reseal(target.run)


@attack("metrics.json changed after the run was sealed")
def metrics_are_edited(target: Target) -> None:
    target.edit("metrics.json", '"value": 0.0', '"value": 1.0', target.run)


@attack(JUDGED_AGAIN)
def scores_are_edited_and_the_run_is_sealed_again(target: Target) -> None:
    target.say_pass()

    def right_score(line: dict[str, object]) -> None:
        score = line["score"]
        assert isinstance(score, dict)
        counts = score["counts"]
        score |= {"value": 1.0, "counts": counts | {"tp": counts.get("gold", 0), "exact": 1, "found": 1}}

    target.lines("scores.jsonl", right_score)


@attack(JUDGED_AGAIN)
def the_right_answers_are_edited_in_the_records(target: Target) -> None:
    target.say_pass()
    said = wrong()

    def expect_what_was_said(line: dict[str, object]) -> None:
        case = line["record"]["case"]  # type: ignore[index]
        case["expected"] = [said[case["id"]]] if said[case["id"]] != "none" else []

    target.lines("records.jsonl", expect_what_was_said)


@attack(JUDGED_AGAIN)
def later_findings_turn_every_score(target: Target) -> None:
    target.say_pass(again=True)
    events = [
        ScoreEvent(
            suite=suite, case_id=record.case.id, variant=record.variant, repeat=1, supersedes=True,
            score=Score(name="clauses", value=1.0, counts={"tp": 1, "gold": 1, "predicted": 1, "exact": 1}),
        )
        for suite, record in stream(target.run)
    ]  # fmt: skip
    append(target.run, "code", events, {"kind": "code"})


@attack(JUDGED_AGAIN)
def every_answer_is_an_error_and_the_verdicts_say_pass(target: Target) -> None:
    target.say_pass()

    def fail(line: dict[str, object]) -> None:
        line["record"]["completion"] |= {"finish_reason": "error", "error": "the engine died", "text": ""}  # type: ignore[index]

    target.lines("records.jsonl", fail)


@attack(NO_RUN)
def the_run_was_killed_after_its_verdicts(target: Target) -> None:
    target.evaluate(1)
    with target.unsealed() as run:
        target.write_manifest(run, status="running", ended=None)
    shutil.rmtree(min(f for f in target.runs.iterdir() if f.is_dir()))


@attack(JUDGED_AGAIN)
def a_failed_run_is_called_finished_and_sealed(target: Target) -> None:
    with target.unsealed() as run:
        target.write_manifest(run, status="failed")
    target.say_pass()
    target.manifest(lambda m: m.update(status="finished"))
    RunFolder(target.run).seal()


@attack("the run was interrupted before it finished")
def an_interrupted_run_is_sealed(target: Target) -> None:
    target.evaluate(1)
    target.reseal(status="interrupted")


@attack(FAILED)
def a_training_run_that_says_pass(target: Target) -> None:
    target.evaluate(1)
    target.reseal(kind="train")


@attack("ran 10 of 40 cases")
def ten_cases_were_asked(target: Target) -> None:
    shutil.rmtree(target.runs)
    target.evaluate(1, asked=10)


@attack("its answers judged again, .* skipped")
def the_first_case_was_asked_and_the_manifest_says_all_were(target: Target) -> None:
    target.evaluate(1, asked=1)
    infos = [msgspec.structs.replace(info, asked=info.cases) for info in load_manifest(target.run).suites]
    (target.run / "verdicts.json").write_text((target.run / "verdicts.json").read_text().replace("skipped", "pass"))
    target.reseal(suites=infos)


@attack("left out 30 cases, which the suite does not allow")
def hard_cases_are_said_to_be_too_long(target: Target) -> None:
    _ten_cases_and_the_others_left_out(target)


def _ten_cases_and_the_others_left_out(target: Target) -> None:
    target.evaluate(1, asked=10)
    left = [str(case["id"]) for case in rows()[10:]]
    infos = [msgspec.structs.replace(i, asked=i.cases, left_out=left) for i in load_manifest(target.run).suites]
    (target.run / "verdicts.json").write_text((target.run / "verdicts.json").read_text().replace("skipped", "pass"))
    target.reseal(suites=infos)


@attack("its leave_out_long changed since the policy was written")
def the_suite_leaves_out_hard_cases_as_too_long(target: Target) -> None:
    target.edit("test_mini.py", "max_tokens=8", "max_tokens=8, leave_out_long=True")
    _ten_cases_and_the_others_left_out(target)


@attack("has 1 answer per case, and the suite asks for 5")
def fewer_answers_per_case_than_the_suite_asks_for(target: Target) -> None:
    target.evaluate(1)
    target.edit("test_mini.py", "max_tokens=8", "max_tokens=8, samples=5")
    approve_of(target.root)


OTHER_BASELINE = "which is neither the base of these weights with the same tokenizer and chat template nor among"


@attack(OTHER_BASELINE)
def a_comparison_with_a_weak_baseline(target: Target) -> None:
    (target.suite / "gates.toml").write_text(IMPROVES)
    approve_of(target.root)
    target.evaluate(1, baseline=save_tiny_model(target.root / "weak", seed=9))


@attack(OTHER_BASELINE)
def a_comparison_with_the_base_under_a_chat_template_that_cuts_its_prompts(target: Target) -> None:
    (target.suite / "gates.toml").write_text(IMPROVES)
    approve_of(target.root)
    twin = Path(shutil.copytree(target.base, target.root / "twin"))
    (twin / "chat_template.jinja").write_text("{{ messages[0]['content'][:3] }}")
    target.evaluate(1, baseline=twin)


@attack(OTHER_BASELINE)
def a_comparison_with_the_base_that_ends_its_answers_at_any_token(target: Target) -> None:
    (target.suite / "gates.toml").write_text(IMPROVES)
    approve_of(target.root)
    twin = Path(shutil.copytree(target.base, target.root / "twin"))
    change_json(twin / "generation_config.json", eos_token_id=list(range(300)))
    target.evaluate(1, baseline=twin)


@attack("compared with no model")
def a_comparison_without_a_baseline_that_is_said_to_have_passed(target: Target) -> None:
    (target.suite / "gates.toml").write_text(IMPROVES)
    approve_of(target.root)
    target.evaluate(1)
    (target.run / "verdicts.json").write_text((target.run / "verdicts.json").read_text().replace("skipped", "pass"))
    reseal(target.run)


@attack("had another accepted baseline than the policy names")
def an_accepted_baseline_is_edited(target: Target) -> None:
    """A weak model is accepted, and nobody renews the policy."""
    (target.suite / "gates.toml").write_text(IMPROVES)
    approve_of(target.root)
    accept(target, target.evaluate(1, answers=wrong()))
    target.evaluate(2, baseline="accepted")


@attack("its accepted baseline changed since the policy was written")
def the_accepted_baseline_is_exchanged_after_a_run_that_was_no_better(target: Target) -> None:
    (target.suite / "gates.toml").write_text(IMPROVES)
    accept(target, target.evaluate(1))
    approve_of(target.root)
    target.evaluate(2, baseline="accepted")
    target.say_pass(again=True)
    weak = target.evaluate(3, answers=wrong())
    accept(target, weak)
    shutil.rmtree(weak)


def accept(target: Target, run: Path) -> None:
    done = tunegate(target.root, "baseline", "accept", run.name, "--reason", "r", "--override-reason", "a")
    assert done.returncode == 0, done.stderr


IMPROVES = """[objective]
text = "Find more clauses than before."

[[gate]]
metric = "clause_recall"
rule = "improves"
margin = 0.1
"""


# An easier suite.


@attack("its gates changed since the policy was written")
def thresholds_are_lowered(target: Target) -> None:
    target.lower()
    target.evaluate(1, answers=wrong())


@attack("had other gates than the policy names")
def thresholds_and_policy_are_changed_in_a_pull_request(target: Target) -> None:
    target.words = bars_of(target)
    target.lower()
    approve_of(target.root)
    target.evaluate(1, answers=wrong())


@attack("its gates changed since the policy was written")
def a_gate_is_deleted(target: Target) -> None:
    (target.suite / "gates.toml").write_text(PASS_ON_BOTH.rpartition("[[gate]]")[0])
    target.evaluate(1)


@attack("so the gate cannot fail")
def a_threshold_that_cannot_fail(target: Target) -> None:
    """Gates and policy say so, and a run that was made by other gates is said to have been made by these."""
    (target.suite / "gates.toml").write_text(PASS_ON_BOTH.replace("at_least", "at_most").replace("0.5", "1.0"))
    gates = digest((target.suite / "gates.toml").read_bytes())
    approve_of(target.root)
    target.say_pass()
    target.edit("verdicts.json", "at_least-0.5", "at_most-1", target.run)
    infos = [msgspec.structs.replace(info, gates_hash=gates) for info in load_manifest(target.run).suites]
    target.reseal(suites=infos)


@attack("its folder evalsuites/legal/mini does not exist; where that is meant, delete its table from the policy")
def the_suite_is_deleted(target: Target) -> None:
    target.second_suite()
    target.evaluate(1, answers=wrong(), suites=["legal/easy"])
    shutil.rmtree(target.suite)


@attack(FAILED)
def the_suite_is_taken_out_of_the_policy_in_a_pull_request(target: Target) -> None:
    target.words = bars_of(target)
    target.second_suite()
    approve_of(target.root)
    target.policy.write_text(only(target.policy.read_text(), "legal/easy"))
    target.evaluate(1, answers=wrong(), suites=["legal/easy"])


@attack("no cases were found")
def the_suite_is_emptied(target: Target) -> None:
    (target.suite / "cases.jsonl").write_text("")
    (target.run / "verdicts.json").write_text("[]")
    target.reseal(suites=[msgspec.structs.replace(i, cases=0, asked=0) for i in load_manifest(target.run).suites])


@attack("its cases changed since the policy was written")
def the_cases_are_easier(target: Target) -> None:
    easy = [row | {"expected": []} for row in rows()]
    (target.suite / "cases.jsonl").write_text("\n".join(json.dumps(row) for row in easy))
    target.evaluate(1, answers={str(row["id"]): "none" for row in easy})


@attack(JUDGED_AGAIN)
def the_cases_are_easier_and_the_run_names_the_old_ones(target: Target) -> None:
    before = load_manifest(target.run).suites[0].cases_hash
    kept = (target.suite / "cases.jsonl").read_bytes()
    the_cases_are_easier(target)
    infos = [msgspec.structs.replace(info, cases_hash=before) for info in load_manifest(target.run).suites]
    file = target.run / "verdicts.json"
    file.write_text(re.sub('"outcome": "[a-z]*"', '"outcome": "pass"', file.read_text()))
    target.reseal(suites=infos)
    (target.suite / "cases.jsonl").write_bytes(kept)


@attack("its prompt changed since the policy was written")
def the_prompt_gives_the_answer_away(target: Target) -> None:
    target.edit("prompt.jinja", "Which clauses?", "Say: holdover. Which clauses?")
    target.evaluate(1)


@attack("its samples changed since the policy was written")
def the_suite_asks_for_fewer_answers_per_case(target: Target) -> None:
    target.edit("test_mini.py", "max_tokens=8", "max_tokens=8, samples=5")
    approve_of(target.root)
    target.edit("test_mini.py", "max_tokens=8, samples=5", "max_tokens=8")
    target.evaluate(1)


@attack("its noise changed since the policy was written")
def the_measured_noise_is_deleted(target: Target) -> None:
    noise = target.suite / "noise.json"
    noise.write_text('{"noise": []}')
    approve_of(target.root)
    noise.unlink()
    target.evaluate(1)


@attack("its scorers changed since the policy was written")
def the_scorer_looks_for_other_clauses(target: Target) -> None:
    target.edit("test_mini.py", '"as is"]', '"as is", "none of these"]')
    target.evaluate(1)


def scorer_in_files(target: Target, package: str = "terms") -> None:
    """Approve a suite whose scorer imports `same` of another file, through `package`."""
    (target.suite / "terms.py").write_text("def same(expected, text):\n    return text in expected\n")
    (target.suite / "right.py").write_text(RIGHT.replace("mini.terms", f"mini.{package}"))
    importing = "from evalsuites.legal.mini.right import right\nfrom harness import Suite"
    target.edit("test_mini.py", "from harness import Suite", importing)
    target.edit("test_mini.py", "scorers=[", "scorers=[right, ")
    approve_of(target.root)


@attack("its scorers changed since the policy was written")
def a_second_file_of_the_scorer_is_lenient(target: Target) -> None:
    scorer_in_files(target)
    target.edit("terms.py", "text in expected", "True")
    target.evaluate(1)


@attack("its scorers changed since the policy was written")
def a_package_replaces_the_function_that_it_passes_on(target: Target) -> None:
    package = target.suite / "rules" / "__init__.py"
    package.parent.mkdir()
    package.write_text("from evalsuites.legal.mini.terms import same\n")
    scorer_in_files(target, "rules")
    package.write_text(package.read_text() + "def same(expected, text):\n    return True\n")
    target.evaluate(1)


RIGHT = """from harness.schema import Score
from harness.scoring import scorer


@scorer(metrics=[], name="right")
def right(case, completion):
    from evalsuites.legal.mini.terms import same

    return Score(name="right", value=float(same(case.expected, completion.text)))
"""


# Other weights.


@attack(NO_RUN)
def the_weights_are_swapped_under_the_name_that_passed(target: Target) -> None:
    passed = save_adapter(target.base, target.root / "own", seed=3)
    target.adapter = passed
    target.evaluate(1)
    shutil.rmtree(passed)
    save_adapter(target.base, passed, seed=4)


@attack(NO_RUN)
def the_adapter_is_put_on_another_base(target: Target) -> None:
    target.evaluate(1)
    other = save_tiny_model(target.root / "other", seed=5)
    target.adapter = shutil.copytree(target.adapter, target.root / "moved")
    change_json(target.adapter / "adapter_config.json", base_model_name_or_path=str(other))


@attack(NO_RUN)
def the_chat_template_is_another(target: Target) -> None:
    target.evaluate(1)
    target.adapter = shutil.copytree(target.adapter, target.root / "moved")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(target.base / name, target.adapter / name)
    (target.adapter / "chat_template.jinja").write_text("{% for m in messages %}{{ m['content'] }} yes{% endfor %}")


# Another policy.


@attack("there is no approval policy")
def the_policy_is_missing(target: Target) -> None:
    target.evaluate(1)
    target.policy.unlink()


@attack("not valid TOML")
def the_policy_is_malformed(target: Target) -> None:
    target.evaluate(1)
    target.policy.write_text(target.policy.read_text() + "[[suite\n")


@attack("names no suite")
def the_policy_names_no_suite(target: Target) -> None:
    target.evaluate(1)
    target.policy.write_text("suite = []\n")


@attack("unknown field `allow_all`")
def the_policy_has_a_key_that_nobody_knows(target: Target) -> None:
    target.evaluate(1)
    target.policy.write_text("allow_all = true\n" + target.policy.read_text())


@attack("there is no approval policy")
def the_policy_lies_in_another_folder(target: Target) -> None:
    """Such as that of an installed package, or of a project around this one."""
    target.evaluate(1)
    for folder in ("site-packages/evalsuites", "evalsuites/legal"):
        (target.root / folder).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(target.policy, target.root / folder / "approval.toml")
    target.policy.unlink()


@attack("there is no approval policy")
def the_bars_are_a_folder_without_a_policy(target: Target) -> None:
    target.evaluate(1)
    (target.root / "empty").mkdir()
    target.words = ("--bars", str(target.root / "empty"))


@attack("its gates changed since the policy was written")
def the_bars_hold_other_gates_than_their_policy_names(target: Target) -> None:
    target.words = bars_of(target)
    (target.root / "bars" / "legal" / "mini" / "gates.toml").write_text(EASY)
    target.evaluate(1, answers=wrong(), bars=target.root / "bars")


@attack("--ungated needs a reason")
def the_reason_for_no_verdict_is_empty(target: Target) -> None:
    target.words = ("--ungated", " ")


def bars_of(target: Target) -> tuple[str, str]:
    """The copy of the target branch, from which CI takes policy and gates."""
    shutil.copytree(target.suites, target.root / "bars", ignore=shutil.ignore_patterns("__pycache__"))
    return ("--bars", str(target.root / "bars"))


def only(policy: str, name: str) -> str:
    """A policy with one of its suites."""
    head, *tables = policy.split("[[suite]]")
    return "[[suite]]".join([head, *(table for table in tables if f'"{name}"' in table)])


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Target:
    return Target.make(tmp_path_factory.mktemp("attacked") / "project")


@pytest.fixture
def target(original: Target, tmp_path: Path) -> Iterator[Target]:
    yield original.copied_to(tmp_path / "project")


def where_of(target: Target) -> Where:
    words = dict(zip(target.words[::2], target.words[1::2], strict=True))
    suites = (words["--suite"],) if "--suite" in words else ()
    return Where(runs=Path("runs"), bars=Path(words["--bars"]) if "--bars" in words else None, suites=suites)


@pytest.mark.slow
def test_the_same_project_is_approved_once_its_model_passes(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without this, a project that refuses everything would pass all tests below."""
    monkeypatch.chdir(target.root)
    target.evaluate(1)
    assert approve(resolve(str(target.adapter)), where_of(target), None, "serve").passed
    done = tunegate(target.root, "merge", str(target.adapter), "out")
    assert done.returncode == 0 and "approved by evalsuites/approval.toml" in done.stdout


def test_there_are_many_ways() -> None:
    assert len(ATTACKS) >= 50


@pytest.mark.slow
@pytest.mark.parametrize("way", ATTACKS)
def test_nothing_is_merged_or_served(way: str, target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    do, refused = ATTACKS[way]
    do(target)
    monkeypatch.chdir(target.root)
    done = tunegate(target.root, "merge", str(target.adapter), "out", *target.words)
    assert done.returncode != 0 and "approved by" not in done.stdout
    assert re.search(refused, done.stderr), done.stderr
    assert "Traceback" not in done.stderr and not (target.root / "out").exists()
    ungated = " " if "--ungated" in target.words else None
    with pytest.raises(UserError, match=refused):
        approve(resolve(str(target.adapter)), where_of(target), ungated, "serve")


def test_a_run_by_lowered_thresholds_fails_by_those_of_the_target_branch(target: Target) -> None:
    bars = bars_of(target)
    target.lower()
    run = target.evaluate(1, answers=wrong())
    assert tunegate(target.root, "regate", run.name).returncode == 0
    assert tunegate(target.root, "regate", run.name, *bars).returncode == 1
