"""evalsuites/approval.toml: what is refused in it, what the command writes, and whose file counts."""

import os
import shutil
from pathlib import Path

import pytest

from harness.approval.policy import Policy, RequiredSuite, current_entry, load_policy, write_policy
from harness.errors import UserError
from tests.harness.approval.test_approve import second_suite
from tests.support.adapters import save_adapter
from tests.support.command import tunegate
from tests.support.gated import CASES, PASS_ON_BOTH, evaluate, write_project, wrong
from tests.support.mini import TEST, rows, suites, write_suite
from tests.support.mini import evaluate as run_suites

D = "0123456789abcdef" * 4
TABLE = f'[[suite]]\nname = "legal/mini"\ngates = "{D}"\ncases = "{D}"\nprompt = "{D}"\nscorers = "{D}"\n'


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    parts = dict.fromkeys(["gates", "cases", "prompt", "scorers"], D)
    one = RequiredSuite(name="legal/mini", **parts, samples=5, accepted=D[::-1], noise=D, baselines=[D])
    two = RequiredSuite(name="legal/other", gates=D, cases=D, prompt=D, scorers=D)
    policy = Policy(trust_server=True, suite=[one, two])
    write_policy(tmp_path / "approval.toml", policy)
    assert load_policy(tmp_path / "approval.toml") == policy


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "there is no approval policy, so nothing says which suites must pass"),
        ("", "missing required field `suite`"),
        ("suite = []\n", "names no suite, so it would approve anything"),
        ("[[suite]\n", "not valid TOML"),
        (TABLE + "gate = 1\n", "unknown field `gate`"),
        ("anything = true\n" + TABLE, "unknown field `anything`"),
        ("trust_server = 1\n" + TABLE, "Expected `bool`, got `int`"),
        (TABLE.replace(D, "abc", 1), r"matching regex .*suite\[0\].gates"),
        (TABLE.replace("legal/mini", "../mini"), r"suite\[0\].name"),
        (TABLE.replace("legal/mini", "legal/../mini"), r"suite\[0\].name"),
        (TABLE.replace('name = "legal/mini"\n', ""), "missing required field `name`"),
        (TABLE + TABLE, "legal/mini is named twice"),
    ],
)
def test_a_policy_that_cannot_be_used_is_refused_in_one_line(text: str | None, says: str, tmp_path: Path) -> None:
    path = tmp_path / "approval.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match=says) as caught:
        load_policy(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert "or delete it" in str(caught.value) or text in (None, TABLE + TABLE)


@pytest.mark.slow
def test_line_ends_of_a_checkout_on_windows_change_no_digest(tmp_path: Path) -> None:
    folder = write_project(tmp_path)
    (suite,) = suites(tmp_path)
    (folder / "noise.json").write_text('{"noise": []}\n')
    before = current_entry(suite)
    for name in ("gates.toml", "noise.json"):
        (folder / name).write_bytes((folder / name).read_bytes().replace(b"\n", b"\r\n"))
    assert current_entry(suite) == before
    (folder / "gates.toml").write_text((folder / "gates.toml").read_text().replace("0.5", "0.4"))
    assert current_entry(suite) != before


@pytest.mark.slow
def test_the_command_names_every_suite_at_first_and_renews_those_that_are_named(tmp_path: Path) -> None:
    write_project(tmp_path)
    policy = tmp_path / "evalsuites" / "approval.toml"
    policy.unlink()
    second_suite(tmp_path)
    done = tunegate(tmp_path, "approval")
    assert "next: tunegate compare BASELINE TUNED" in done.stdout
    assert (done.returncode, done.stdout.splitlines()[:2]) == (0, ["legal/mini: added", "legal/other: added"])
    kept = load_policy(policy).suite[0]
    write_policy(policy, Policy(suite=[kept]))
    (tmp_path / "evalsuites/legal/mini/prompt.jinja").write_text("What clauses? {{ document }}")
    said = tunegate(tmp_path, "approval").stdout.splitlines()
    assert said[0] == "legal/mini: prompt changed"
    assert said[1].startswith("not in the policy: evalsuites/legal/other. Add it with --suite evalsuites/legal/other")
    assert [one.name for one in load_policy(policy).suite] == ["legal/mini"]
    other = "evalsuites/legal/other"
    assert tunegate(tmp_path, "approval", "--suite", other).stdout.splitlines()[0] == "legal/other: added"
    assert [one.name for one in load_policy(policy).suite] == ["legal/mini", "legal/other"]


def test_a_new_policy_says_which_suites_it_lacks(tmp_path: Path) -> None:
    write_project(tmp_path)
    (tmp_path / "evalsuites" / "approval.toml").unlink()
    folder = second_suite(tmp_path)
    code = (folder / "test_other.py").read_text()
    absent = "from harness import Unavailable\n\n\ndef absent():\n    raise Unavailable('its data is elsewhere')\n\n\n"
    (folder / "test_other.py").write_text(absent + code.replace("Suite(", "Suite(cases=absent, "))
    said = tunegate(tmp_path, "approval").stdout.splitlines()
    assert said[0] == "legal/mini: added"
    assert said[1].startswith("not added: its data is elsewhere. Models are merged and served without it")


def test_the_command_names_gates_that_became_easier_and_cases_and_scorers_that_changed(tmp_path: Path) -> None:
    write_project(tmp_path)
    since = f"review this change: legal/mini, since run {run_suites(tmp_path, wrong()).path.name}"
    write_suite(tmp_path, rows(CASES)[:-2], gates=PASS_ON_BOTH.replace("0.5", "0.4", 1))
    said = tunegate(tmp_path, "approval").stdout.splitlines()
    assert said[:3] == [
        "legal/mini: gates, cases changed",
        f"{since}: clause recall, at least: threshold 0.5 -> 0.4, which is easier to meet",
        f"{since}, which did not pass: 2 cases were removed (c38, c39)",
    ]
    write_suite(tmp_path, rows(CASES), TEST.replace('"as is"])', '"as is"], {"staying on": "holdover"})'), PASS_ON_BOTH)
    assert f"{since}, which did not pass: scorer clauses changed" in tunegate(tmp_path, "approval").stdout.splitlines()
    write_suite(tmp_path, rows(CASES), gates=PASS_ON_BOTH)
    assert "review" not in tunegate(tmp_path, "approval").stdout


@pytest.mark.slow
def test_a_new_suite_is_named_in_the_policy_of_its_project(tmp_path: Path) -> None:
    done = tunegate(tmp_path, "init", "tickets/sort", "--yes", "--kind", "label")
    assert done.returncode == 0, done.stderr
    assert (
        "written: evalsuites/approval.toml; a model must pass this suite before it is merged or served" in done.stdout
    )
    assert [one.name for one in load_policy(tmp_path / "evalsuites" / "approval.toml").suite] == ["tickets/sort"]
    assert tunegate(tmp_path, "init", "--from", "legal/clauses", "contracts/clauses").returncode == 0
    named = [one.name for one in load_policy(tmp_path / "evalsuites" / "approval.toml").suite]
    assert named == ["tickets/sort", "contracts/clauses"]


@pytest.mark.slow
@pytest.mark.parametrize("command", ["merge", "serve"])
def test_merge_and_serve_name_the_command_that_writes_a_missing_policy(
    command: str, tiny_model: Path, tmp_path: Path
) -> None:
    """The policies of other folders do not count, such as that of an installed package."""
    write_project(tmp_path / "installed")
    project = tmp_path / "project"
    write_project(project)
    (project / "evalsuites" / "approval.toml").unlink()
    adapter = save_adapter(tiny_model, tmp_path / "adapter")
    evaluate(project / "runs", adapter)
    more = ("out",) if command == "merge" else ("--dry-run", "--lora", "merge")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(tmp_path / "installed"))
        done = tunegate(project, command, str(adapter), *more)
    assert done.returncode == 4 and "Write it with `tunegate approval`" in done.stderr
    assert not (project / "out").exists()


@pytest.mark.slow
def test_a_merge_says_which_runs_approved_it_and_its_card_holds_the_digests(tiny_model: Path, tmp_path: Path) -> None:
    write_project(tmp_path)
    adapter = save_adapter(tiny_model, tmp_path / "adapter")
    failed = evaluate(tmp_path / "runs", adapter, answers=wrong())
    refused = tunegate(tmp_path, "merge", str(adapter), "out")
    assert refused.returncode == 1 and f"legal/mini: {failed.name} has 2 of 2 gates not passed" in refused.stderr
    shutil.rmtree(failed)
    run = evaluate(tmp_path / "runs", adapter)
    done = tunegate(tmp_path, "merge", str(adapter), "out")
    says = f"approved by evalsuites{os.sep}approval.toml: legal/mini by run {run.name}, 2 gates passed"
    assert done.returncode == 0 and says in done.stdout
    card = (tmp_path / "out" / "README.md").read_text()
    policy = load_policy(tmp_path / "evalsuites" / "approval.toml").suite[0]
    assert f"Adapter: {says}.\n\n- legal/mini: run {run.name} (seal " in card and f"(gates.toml {policy.gates})" in card
