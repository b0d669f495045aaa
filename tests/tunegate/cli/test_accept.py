"""Accepting, comparing and judging again as a user does it: `tunegate` and pytest in processes of their own."""

import json
from pathlib import Path

import pytest

from harness.runs.folder import load_run
from tests.support.accepted_suite import CASES, GATES, LEVEL, OLD, write
from tests.support.command import tunegate
from tests.support.mini import pytest_in, right, write_script

REASON = ("--reason", "in production", "--override-reason", "a first baseline")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with one run of the old model, which is not accepted yet."""
    write(tmp_path)
    write_script(tmp_path, tuned=OLD)
    pytest_in(tmp_path, "-q")
    return tmp_path


def by_age(root: Path) -> list[Path]:
    """Finished runs, oldest first."""
    return [seal.parent for seal in sorted(root.glob("runs/*/MANIFEST.sha256"), key=lambda p: p.stat().st_mtime_ns)]


def first_run(root: Path) -> str:
    return by_age(root)[0].name


def file(root: Path) -> Path:
    return root / "evalsuites" / "legal" / "mini" / "baseline.json"


@pytest.mark.slow
def test_accept_then_compare_with_it_and_judge_again(root: Path) -> None:
    refused = tunegate(root, "baseline", "accept", first_run(root), "--reason", "in production")
    assert refused.returncode == 1 and "5 of 6 gates did not pass" in refused.stderr
    assert not file(root).exists()
    done = tunegate(root, "baseline", "accept", first_run(root), *REASON, "--by", "A. Reviewer")
    assert done.returncode == 0, done.stderr
    assert "accepted: " in done.stdout and "baseline.json (" in done.stdout
    assert "\nwarning: the accepted run has the answers of a script, not of a model\n" in done.stdout
    assert json.loads(file(root).read_text())["approved_by"] == "A. Reviewer"
    write_script(root, tuned=right(CASES))
    (root / "evalsuites/legal/mini/gates.toml").write_text(LEVEL + IMPROVES)
    compared = tunegate(root, "compare", "accepted", "new", "--engine", "fake", "--script", "script.json")
    assert compared.returncode == 0, compared.stdout + compared.stderr
    flat = " ".join(compared.stdout.split())
    assert flat.index("The gates changed: ") < flat.index("compared with the accepted baseline of") < flat.index("PASS")
    assert "baseline old" not in compared.stderr and "answers (fake" in compared.stderr
    made = by_age(root)[-1]
    assert (made / "report" / "report.html").exists()
    again = tunegate(root, "regate", made.name, "--require-gates")
    assert again.returncode == 0, again.stdout + again.stderr
    (root / "evalsuites/legal/mini/gates.toml").write_text(LEVEL.replace("value = 0.2", "value = 0.999") + IMPROVES)
    stricter = tunegate(root, "regate", made.name)
    assert stricter.returncode == 1
    moved = "threshold 0.2 -> 0.999, which is harder to meet: pass -> inconclusive"
    assert f"changed: legal/mini clause recall at least 99.9%: {moved}\n" in stricter.stdout
    assert stricter.stdout.count("\nchanged: ") == 1
    assert tunegate(root, "regate", made.name, "--baseline", "old").returncode == 4


IMPROVES = '\n[[gate]]\nmetric = "clause_exact_set"\nrule = "improves"\n'


@pytest.mark.slow
def test_pytest_compares_with_the_accepted_baseline_and_names_it(root: Path) -> None:
    tunegate(root, "baseline", "accept", first_run(root), *REASON)
    write_script(root, tuned=right(CASES))
    done = pytest_in(
        root, "-q", "--baseline", "accepted", "--eval-require-gates", "-k", "gate and not macro and not likeness"
    )
    assert "gates that did not run" in done.stdout and done.returncode == 1  # deselected gates are not judged
    (root / "evalsuites/legal/mini/gates.toml").write_text(LEVEL + IMPROVES)
    done = pytest_in(root, "--baseline", "accepted", "--eval-require-gates")
    assert done.returncode == 0, done.stdout + done.stderr
    flat = " ".join(done.stdout.split())
    assert "compared with the accepted baseline of" in flat and "model fake:smollm2-135m-instruct" in flat
    assert "The gates changed: legal/mini, since the accepted baseline of" in flat
    run = load_run(by_age(root)[-1])
    assert len(run.manifest.moved) == 3 and [v.outcome for v in run.verdicts] == ["pass", "pass"]


@pytest.mark.slow
def test_pytest_without_an_accepted_baseline_skips_and_is_red_where_gates_are_required(root: Path) -> None:
    done = pytest_in(root, "-q", "--baseline", "accepted", "-rs")
    assert done.returncode == 0, done.stdout
    assert "5 skipped" in done.stdout and "tunegate baseline accept RUN --suite evalsuites/legal/mini" in done.stdout
    required = pytest_in(root, "-q", "--baseline", "accepted", "--eval-require-gates")
    assert required.returncode == 1 and "gates that did not run" in required.stdout
    judged = tunegate(root, "regate", first_run(root), "--require-gates")
    assert judged.returncode == 1 and "--require-gates: gates that did not run" in judged.stderr
    assert tunegate(root, "regate", first_run(root)).returncode == 0


@pytest.mark.slow
def test_a_broken_file_is_a_usage_error_everywhere(root: Path) -> None:
    file(root).write_text("{")
    for done in (
        pytest_in(root, "-q", "--baseline", "accepted"),
        tunegate(root, "compare", "accepted", "new", "--engine", "fake", "--script", "script.json"),
        tunegate(root, "regate", first_run(root), "--baseline", "accepted"),
    ):
        said = done.stdout + done.stderr
        assert done.returncode == 4 and "is not an accepted baseline" in said and "Traceback" not in said, said
    assert pytest_in(root, "-q").returncode == 0


@pytest.mark.slow
def test_a_suite_without_cases_is_a_usage_error_when_judged_again(root: Path) -> None:
    write(root, cases=[])
    done = tunegate(root, "regate", first_run(root))
    assert done.returncode == 4 and "no cases were found" in done.stderr


def test_a_lowered_bar_shows_first_and_the_other_copy_decides(root: Path) -> None:
    (root / "bars" / "legal").mkdir(parents=True)
    (root / "evalsuites" / "legal" / "mini").rename(root / "bars" / "legal" / "mini")
    write(root, gates=GATES.replace("value = 0.2", "value = 0.01"))
    write_script(root, tuned=dict.fromkeys(right(CASES), "none"))
    done = pytest_in(root, "-q", "--eval-bars", "bars", "-k", "gate")
    assert done.returncode == 1
    said = (
        "The gates changed: legal/mini/gates.toml: "
        "clause recall, at least: threshold 0.2 -> 0.01, which is easier to meet"
    )
    assert said in " ".join(done.stdout.split())
    assert "FAILED evalsuites/legal/mini/gates.toml::gate[clause_recall-at_least-0.2]" in done.stdout.replace(
        "test_mini.py", "gates.toml"
    )
