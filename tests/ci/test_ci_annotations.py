"""Annotations: one a gate that did not pass, at most eight, and no text in them becomes a command of its own."""

from __future__ import annotations

from reports.ci.annotations import attribute, command, data, lines
from reports.ci.export import inert
from reports.ci.markdown import summary
from tests.ci.runner import commands
from tests.ci.sample import export, suite, verdict


def test_messages_and_properties_are_escaped_as_the_toolkit_does() -> None:
    assert data("100%\r\n: ,") == "100%25%0D%0A: ,"
    assert attribute("a%b\rc\nd:e,f") == "a%25b%0Dc%0Ad%3Ae%2Cf"
    assert command("error", "a: b, c", "x\ny") == "::error title=a%3A b%2C c::x%0Ay"


def test_a_gate_that_is_not_met_is_named_with_its_numbers_and_one_that_is_met_is_not() -> None:
    made = lines(export(suite(verdict(), verdict(1, "inconclusive"), verdict(2, "skipped"), verdict(3, "pass"))))
    assert [name for name, _ in commands("\n".join(made))] == ["error", "error", "warning"]
    assert made[0] == (
        "::error title=legal/clauses%3A Clause recall%2C excerpt%2C instrument kind 0::"
        "FAIL: 88.3%25 (95%25 confidence: at most 93.4%25); at least 95.0%25 was required."
    )
    assert made[1].endswith("To settle it: about 620 cases; has 240.")


def test_a_passing_run_has_no_annotation() -> None:
    assert lines(export(suite(verdict(0, "pass")))) == []


def test_eight_gates_are_named_and_the_others_counted() -> None:
    made = lines(export(suite(*(verdict(n) for n in range(8)))))
    assert len(made) == 8
    made = lines(export(suite(*(verdict(n) for n in range(5))), suite(*(verdict(n) for n in range(9)), name="other")))
    assert len(made) == 9 and "6 more did not pass" in made[-1]


def test_a_suite_without_a_verdict_is_named_too_and_counts_among_the_eight() -> None:
    made = lines(export(suite(*(verdict(n) for n in range(8))), suite(name="legal/other", sentence="It has none.")))
    assert made[0] == "::error title=legal/other%3A not judged::It has none."
    assert len(made) == 9 and "1 more did not pass" in made[-1]


def test_gates_that_are_counted_but_not_listed_are_counted_here_too() -> None:
    made = lines(export(suite(verdict(), counts={"fail": 12})))
    assert len(made) == 2 and "11 more did not pass" in made[-1]


def test_what_moved_is_said_first() -> None:
    made = lines(export(suite(verdict()), moved=["value 0.95 -> 0.9", "a case was removed"]))
    assert made[0] == "::warning title=The gates changed::value 0.95 -> 0.9 And 1 more."


def test_a_run_that_did_not_finish_is_an_error_of_its_own() -> None:
    made = lines(export(suite(verdict(0, "pass")), status="interrupted", notes=["This run did not finish."]))
    assert made == ["::error title=No verdict::This run did not finish."]


def test_a_pass_that_approves_no_merge_is_a_warning_as_the_job_stays_green_and_says_so_in_the_summary() -> None:
    made = export(suite(verdict(0, "pass")), no_merge="has the answers of a script, not of a model")
    says = "No policy lets this run approve a merge: it has the answers of a script, not of a model"
    assert lines(made) == [f"::warning title=PASS%2C no merge::{says}"]
    assert summary(made).startswith("## Evaluation: \u2713 PASS, no merge\n")


def test_foreign_text_in_a_log_line_is_no_command() -> None:
    said = "x: " + inert("a\r\n::error::b\n##[error]c\x1b[31m\u202e")
    assert list(commands(said)) == []
    assert said == "x: a ::error::b ## [error]c⟨U+001B⟩[31m⟨U+202E⟩"


def test_the_stand_in_for_the_runner_carries_out_what_github_does() -> None:
    log = "::error::a\n x ::error::no\n  ::warning title=t::b\rz ##[error]c\n::unknown::d\n::stop-commands::t0k\n"
    log += "::error::no\n::other::\n::t0k::\n::notice::e\n"
    assert [name for name, _ in commands(log)] == ["error", "warning", "error", "stop-commands", "notice"]
