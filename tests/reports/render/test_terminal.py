"""What a terminal is shown of a run."""

import msgspec

from harness.runs.folder import RunData
from reports.render import terminal


def test_the_summary_names_sentence_estimates_and_unmet_gates_first(run: RunData) -> None:
    text = "\n".join(terminal.summary_lines(run, 160))
    assert "Misses 42 fewer of 240 clauses in 40 contracts (28, baseline 70); 1 new fabrication, 1 fixed." in text
    assert "+17.5 points (+10.1 to" in text
    assert text.index("✗ FAIL ") < text.index("? INCONCLUSIVE") < text.index("✓ PASS")
    assert "To settle it: about 620 cases." in "\n".join(terminal.summary_lines(run, 300))


def test_lines_keep_to_the_width_and_carry_no_colour_codes(run: RunData) -> None:
    lines = terminal.summary_lines(run, 80)
    assert max(len(line) for line in lines) <= 80
    assert "\x1b" not in "".join(lines)


def test_no_verdict_is_not_a_pass(run: RunData) -> None:
    text = "\n".join(terminal.summary_lines(msgspec.structs.replace(run, verdicts=[]), 100))
    assert "NOT JUDGED" in text and "PASS" not in text
