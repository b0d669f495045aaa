"""A tuned model's rivals: answers judged by a suite and paired with a run; eight examples as turns of the prompt."""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import bag_of_words, examples_in_prompt, rivals
from harness.checkpoints.bundled_model import EMBEDDED
from harness.checkpoints.resolve import resolve
from harness.suites.prompts import Message, Renderer

SUITE, METRICS = "legal/paragraphs", bag_of_words.SUITES["legal/paragraphs"]


@pytest.mark.slow
def test_answers_are_judged_and_paired_with_a_run(tmp_path: Path) -> None:
    cases = rivals.suite_of(SUITE).cases
    answers = {each.id: "none" for each in cases}
    alone = rivals.judge(SUITE, answers, None, tmp_path / "alone")
    assert [row[2] for row in rivals.rows_of(SUITE, METRICS, alone)][:1] == ["0.0% (0.0% to 3.5%)"]
    right = {each.id: "; ".join(each.expected) or "none" for each in cases}
    paired = rivals.judge(SUITE, answers, right, tmp_path / "paired")
    recall = next(rivals.rows_of(SUITE, METRICS, paired))
    assert recall[2].startswith("0.0%") and recall[3].startswith("100.0%") and recall[4].startswith("100.0%")
    assert rivals.answers_of(paired.path, SUITE) == right


def conversation(number: int, words: int) -> list[Message]:
    return [
        {"role": "user", "content": f"Question {number}: " + "word " * words},
        {"role": "assistant", "content": f"answer {number}"},
    ]


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer(resolve(EMBEDDED).path)


def test_examples_are_whole_turns_and_fit_the_room(renderer: Renderer) -> None:
    rows = [conversation(number, 5 if number % 2 else 300) for number in range(20)]
    wide = examples_in_prompt.examples(rows, 8, 10_000, renderer)
    assert [turn["role"] for turn in wide] == ["user", "assistant"] * 8
    assert all([first, second] in rows for first, second in zip(wide[::2], wide[1::2], strict=True))
    assert any(len(turn["content"]) > 1000 for turn in wide), "a long row is taken where there is room"
    tight = examples_in_prompt.examples(rows, 8, 700, renderer)
    lengths = [len(renderer.training(tight[at : at + 2])[0]) for at in range(0, len(tight), 2)]
    assert len(lengths) == 8 and sum(lengths) <= 700
    assert examples_in_prompt.examples(rows, 8, 10_000, renderer) == wide


def test_examples_are_drawn_from_a_suites_training_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examples_in_prompt, "TOKENS", 2000)
    rows = examples_in_prompt.pairs("policy/handbook")
    assert rows and all([turn["role"] for turn in row] == ["user", "assistant"] for row in rows)


def test_the_case_is_the_last_turn_after_the_examples(renderer: Renderer) -> None:
    suite = rivals.suite_of(SUITE)
    alone = examples_in_prompt.asked(suite, [], renderer)
    after = examples_in_prompt.asked(suite, conversation(1, 3), renderer)
    assert [each.key for each in after] == [case.id for case in suite.cases]
    text = renderer.decode(after[0].ids)
    assert text.index("Question 1") < text.index("answer 1") < text.index(suite.cases[0].document[:40])
    assert len(after[0].ids) > len(alone[0].ids) and after[0].sampling.max_tokens == suite.max_tokens


@pytest.mark.parametrize("command", [bag_of_words.main, examples_in_prompt.main])
@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--only", "legal/clause"], "legal/clause: expected one of legal/"),
        (["--only", "public/cuad", "--against", "."], "--against .: "),
    ],
)
def test_bad_input_is_one_line(
    command: Callable[[list[str]], None], words: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        command(words)
    said = capsys.readouterr().err
    assert (left.value.code, said.count("\n")) == (4, 1) and said.startswith(line)
