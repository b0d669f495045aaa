"""What a terminal is shown of a run: a line for each metric and gate, and the cases that went wrong."""

import re

import msgspec

from harness.runs.folder import RunData
from harness.schema import Score
from reports.render import terminal, terminal_cases
from tests.support.sample import make_record, make_suite


def test_each_metric_is_one_line_and_unmet_gates_come_first(run: RunData) -> None:
    lines = terminal.lines(run, 80)
    text = "\n".join(lines)
    assert re.search(r"^  clause recall +71% -> 88% +\+18 \(10 to \d+\) +better$", text, re.MULTILINE)
    assert text.index("✗ FAIL ") < text.index("? INCONCLUSIVE") < text.index("✓ PASS")
    assert re.search(r"^✗ FAIL: \d fail, .*pass$", lines[-1])


def test_the_ranges_are_named_with_their_level(run: RunData) -> None:
    assert f"{run.manifest.suites[0].name}: 10 cases; in brackets: 95% interval" in terminal.lines(run, 80)


def test_lines_keep_to_the_width_and_carry_no_colour_codes(run: RunData) -> None:
    for is_verbose in (False, True):
        lines = terminal.lines(run, 80, is_verbose=is_verbose)
        assert max(len(line) for line in lines) <= 80
        assert "\x1b" not in "".join(lines)


def test_a_metric_without_a_value_leaves_the_others_room_for_their_names(run: RunData) -> None:
    """As the rate of invented quotations where no answer quotes."""
    (suite, *others) = run.manifest.suites
    unmeasured = msgspec.structs.replace(suite.metrics[0], name="fabrication_rate_quote", scorer="absent")
    suite = msgspec.structs.replace(suite, metrics=(*suite.metrics, unmeasured))
    manifest = msgspec.structs.replace(run.manifest, suites=[suite, *others])
    lines = terminal.lines(msgspec.structs.replace(run, manifest=manifest), 80)
    assert any(re.fullmatch(r"  fabrication rate quote +not measured", line) for line in lines)
    assert any(re.match("  clause recall +71%", line) for line in lines)


def test_a_narrow_terminal_has_each_metric_under_its_whole_name(run: RunData) -> None:
    """The column of names had been as narrow as the cells left it: of 60 columns, none."""
    (suite, *others) = run.manifest.suites
    named = tuple(msgspec.structs.replace(metric, name=f"mispaired_{metric.name}") for metric in suite.metrics)
    manifest = msgspec.structs.replace(
        run.manifest, suites=[msgspec.structs.replace(suite, metrics=(*suite.metrics, *named)), *others]
    )
    for is_verbose in (False, True):
        lines = terminal.lines(msgspec.structs.replace(run, manifest=manifest), 48, is_verbose=is_verbose)
        assert "  clause recall" in lines and "  mispaired clause recall" in lines
        assert re.match(r"    71% -> 88% +\+18 \(", lines[lines.index("  clause recall") + 1])
        assert max(map(len, lines)) <= 48


def test_estimates_of_all_models_have_the_whole_width(run: RunData) -> None:
    lines = terminal.lines(run, 80, is_verbose=True)
    assert any(re.match(r"    baseline 70.8% \(.*?\), 240 clauses; tuned", line) for line in lines)


def test_more_is_shown_where_it_is_asked_for(run: RunData) -> None:
    text = " ".join("\n".join(terminal.lines(run, 80, is_verbose=True)).split())
    assert "Misses 42 fewer of 240 clauses in 40 contracts (28, baseline 70); 1 new fabrication, 1 fixed." in text
    assert "To settle it: about 620 cases." in text
    assert re.search(r"baseline 70.8% \(.*?\), 240 clauses", text)


def test_one_gate_that_was_not_selected_is_one_gate(run: RunData) -> None:
    one, *others = run.verdicts
    text = " ".join("\n".join(terminal.lines(run, 200, {(v.suite, v.gate) for v in others})).split())
    assert f"1 other gate of {one.suite} was not selected: 1 {one.outcome}" in text


def test_many_gates_that_were_not_judged_for_one_reason_share_a_line(run: RunData) -> None:
    """A run of the first 24 of 504 cases had shown twenty gates with the same sentence each."""
    one = run.verdicts[0]
    why, other = "Only 24 of 504 cases were answered; a gate judges all.", "A metric is missing."
    skipped = [
        msgspec.structs.replace(one, gate=f"g{n}", outcome="skipped", seen="", needed="", reason=reason)
        for n, reason in enumerate([why] * 4 + [other] * 3)
    ]
    judged = msgspec.structs.replace(run, verdicts=[*run.verdicts, *skipped])
    lines = terminal.lines(judged, 200)
    assert [line for line in lines if why in line] == [f"  – NOT JUDGED    4 gates: {why}"]
    assert sum(other in line for line in lines) == 3
    assert sum(why in line for line in terminal.lines(judged, 200, is_verbose=True)) == 4
    assert lines[-1].count("7 not judged") == 1


def test_scores_have_titles_and_a_wrong_label_is_called_so() -> None:
    score = Score(name="clauses", value=0.0, extracted={"missing": ["holdover"], "invented": ["entry"]})
    record = msgspec.structs.replace(make_record(1, "tuned", "Entry.", True), scores={"clauses": score})
    text = terminal_cases.case_text(make_suite(), [record], None)
    assert "scores: Clauses 0, missing: holdover, wrong: entry" in text


def test_a_long_text_is_cut_between_words() -> None:
    record = make_record(1, "tuned", "Entry. " * 9 + "x" * 99)
    text = terminal_cases.case_text(make_suite(prompt="Read: {{ document }}"), [record], 40)
    assert re.search(r"  prompt:\n    Read: Section 1\.\n    \[\d+ characters left out; .*\n    Rent is", text)
    assert "    Entry. Entry. Entry.\n    [121 characters left out; -v shows them]\n    " + "x" * 21 + "\n" in text


def test_no_verdict_is_not_a_pass(run: RunData) -> None:
    text = "\n".join(terminal.lines(msgspec.structs.replace(run, verdicts=[]), 100))
    assert "NOT JUDGED" in text and "PASS" not in text


def test_a_wrong_answer_of_a_run_without_its_prompt_is_shown_with_input_expected_and_answers(run: RunData) -> None:
    title, *every = terminal_cases.misses(run, shows_all=False, is_verbose=False, width=80)
    assert title == "wrong answers:" and every
    for text in every:
        assert "wrong\n  input (the prompt is not known):\n    Section " in text
        assert re.match(r"(?s)legal/clauses \S+: wrong\n.*\n  expected: .*\n  (?:tuned )?answer: ", text)
        assert max(map(len, text.splitlines())) <= 80
