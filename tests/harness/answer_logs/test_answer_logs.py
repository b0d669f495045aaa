"""Answers in files that other tools wrote are read, matched to cases, and refused in one line where they cannot be."""

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.answer_logs import answer_log, answers
from harness.answer_logs.answer_log import AnswerLog, read_log
from harness.errors import UserError
from harness.suites.suite import Suite
from tests.support.mini import TEST, suites, write_suite

FILES = Path(__file__).parent / "files"
PROMPT = "Which of these clauses does the text contain: holdover; assignment? Answer with the names or none."
LEASES = {
    "l1": ("Tenant may not assign this Lease.", ["assignment"]),
    "l2": ("A tenant who holds over pays double rent.", ["holdover"]),
    "l3": ("Rent is due on the first day of each month.", []),
}


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return write_leases(tmp_path)


def write_leases(root: Path) -> Suite:
    """A suite of the three texts that the tools were asked about."""
    cases: list[dict[str, object]] = [
        {
            "id": name,
            "input": {"document": text},
            "expected": expected,
            "cluster": name,
            "tags": {"instrument": "lease"},
        }
        for name, (text, expected) in LEASES.items()
    ]
    folder = write_suite(root, cases, TEST, name="leases")
    (folder / "prompt.jinja").write_text(PROMPT + "\n\n{{ document }}")
    return suites(root)[0]


def texts(log: AnswerLog, repeat: int = 1) -> dict[str, str]:
    return {name: log.completion(name, repeat).text for name in LEASES}


RIGHT = {"l1": "assignment", "l2": "holdover", "l3": "none"}


def test_lm_eval_samples_give_the_answer_before_any_filter_once(suite: Suite) -> None:
    log = read_log(FILES / "lm_eval.jsonl", "lm-eval", suite, "dummy")
    assert (texts(log), log.repeats, log.model.name) == (dict.fromkeys(LEASES, "lol"), 1, "dummy")


def test_lm_eval_samples_of_log_probabilities_are_refused(suite: Suite) -> None:
    with pytest.raises(UserError, match=r"lm_eval_options.jsonl: line 1: has log probabilities.*generate_until"):
        read_log(FILES / "lm_eval_options.jsonl", "lm-eval", suite)


def test_epochs_of_an_inspect_log_are_repeats_and_answers_cut_at_the_limit_are_known(suite: Suite) -> None:
    log = read_log(FILES / "inspect.eval", "inspect", suite)
    assert (texts(log), texts(log, 2), log.repeats, log.model.name) == (RIGHT, RIGHT, 2, "mockllm/model")
    assert [log.completion(name, 1).finish_reason for name in LEASES] == ["stop", "stop", "length"]


def inspect_log(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """Write Inspect's log with changed samples; returns the file."""
    list(answers(FILES / "inspect.eval", "inspect"))  # teaches zipfile the compression
    with zipfile.ZipFile(FILES / "inspect.eval") as before, zipfile.ZipFile(path, "w") as after:
        for name in before.namelist():
            content = json.loads(before.read(name))
            if name.startswith("samples/"):
                change(content)
            after.writestr(name, json.dumps(content))
    return path


def test_an_older_inspect_log_has_its_answers_in_the_first_choice(suite: Suite, tmp_path: Path) -> None:
    def age(sample: dict[str, Any]) -> None:
        del sample["output"]["completion"]
        choice = sample["output"]["choices"][0]
        choice["stop_reason"] = choice["stop_reason"].replace("max_tokens", "length")
        if sample["id"] == "l2":
            thought = {"type": "reasoning", "reasoning": "rent?"}
            choice["message"]["content"] = [thought, {"type": "text", "text": choice["message"]["content"]}]

    log = read_log(inspect_log(tmp_path / "old.eval", age), "inspect", suite)
    assert (texts(log), texts(log, 2)) == (RIGHT, RIGHT)
    assert [log.completion(name, 1).finish_reason for name in LEASES] == ["stop", "stop", "length"]


def test_a_promptfoo_file_of_two_models_needs_a_choice_and_tells_errors_from_unmet_assertions(suite: Suite) -> None:
    file = FILES / "promptfoo.json"
    with pytest.raises(UserError, match=r"answers of 2 models: fixed:unsure, fixed:sure. Choose one with --model"):
        read_log(file, "promptfoo", suite)
    with pytest.raises(UserError, match=r"no answer of 'other'. Choose one with --model: fixed:unsure, fixed:sure"):
        read_log(file, "promptfoo", suite, "other")
    assert texts(read_log(file, "promptfoo", suite, "fixed:sure")) == RIGHT
    unsure = read_log(file, "promptfoo", suite, "fixed:unsure")
    assert texts(unsure) == {"l1": "", "l2": "holdover", "l3": "assignment"}
    assert [unsure.completion(name, 1).error for name in LEASES] == ["the fixed model is offline", None, None]


@pytest.mark.parametrize(
    ("change", "text", "error"),
    [
        ({"response": {"output": None}, "error": "No output"}, "", "No output"),
        ({"response": {"cost": 0}, "error": "No output"}, "", "No output"),
        ({"response": None, "failureReason": 2, "error": "offline"}, "", "offline"),
        ({"response": {"output": "as", "error": "stream closed"}, "failureReason": 2}, "", "stream closed"),
        ({"failureReason": 2, "error": "the judge is offline"}, "assignment", None),
        ({"response": {"output": {"a": 1}}}, '{"a": 1}', None),
    ],
)
def test_a_promptfoo_result_without_output_is_an_error_and_a_failed_assertion_is_none(
    suite: Suite, tmp_path: Path, change: dict[str, object], text: str, error: str | None
) -> None:
    content = json.loads((FILES / "promptfoo.json").read_text())
    result = next(r for r in content["results"]["results"] if r["provider"]["id"] == "fixed:sure")
    content["results"]["results"] = [result | change]
    (tmp_path / "one.json").write_text(json.dumps(content))
    answer = read_log(tmp_path / "one.json", "promptfoo", suite).completion("l1", 1)
    assert (answer.text, answer.error) == (text, error)


def test_results_of_one_test_are_repeats_and_those_of_two_prompts_or_settings_are_refused(
    suite: Suite, tmp_path: Path
) -> None:
    content = json.loads((FILES / "promptfoo.json").read_text())
    once = [r for r in content["results"]["results"] if r["provider"]["id"] == "fixed:sure"]

    def log(*results: dict[str, object]) -> AnswerLog:
        content["results"]["results"] = results
        (tmp_path / "out.json").write_text(json.dumps(content))
        return read_log(tmp_path / "out.json", "promptfoo", suite)

    again = [r | {"response": {"output": "again"}} for r in once]
    twice = log(*once, *again)
    assert (texts(twice), texts(twice, 2), twice.repeats) == (RIGHT, dict.fromkeys(LEASES, "again"), 2)
    with pytest.raises(UserError, match="3 answers to cases that have one already"):
        log(*once, *(r | {"prompt": {"raw": "Another prompt"}} for r in once))
    with pytest.raises(UserError, match="3 answers to cases that have one already"):
        log(*once, *(r | {"promptIdx": 7} for r in once))  # Another configuration of the provider.


def test_deepeval_test_cases_are_matched_by_name_or_by_prompt(suite: Suite) -> None:
    log = read_log(FILES / "deepeval.json", "deepeval", suite)
    assert (texts(log), log.model.name) == (RIGHT, "fixed")


def test_a_batch_gives_answers_and_the_errors_of_its_requests(suite: Suite) -> None:
    log = read_log(FILES / "openai_batch.jsonl", "openai-batch", suite)
    assert (texts(log), log.model.name) == ({"l1": "assignment", "l2": "holdover", "l3": ""}, "gpt-4o-mini-2024-07-18")
    assert [log.completion(name, 1).finish_reason for name in LEASES] == ["stop", "length", "error"]
    assert "max_tokens is too small" in str(log.completion("l3", 1).error)


def test_a_request_that_failed_without_a_body_as_vllm_writes_it_is_an_error(suite: Suite, tmp_path: Path) -> None:
    response = {"status_code": 400, "request_id": "vllm-batch-1", "body": None}
    failed = {"id": "vllm-1", "custom_id": "l1", "response": response, "error": "the prompt is too long"}
    answer = read_log(plain(tmp_path / "out.jsonl", failed), "openai-batch", suite).completion("l1", 1)
    assert (answer.finish_reason, answer.error) == ("error", "the prompt is too long")


def test_a_refusal_of_the_model_is_its_answer(suite: Suite, tmp_path: Path) -> None:
    message = {"role": "assistant", "content": None, "refusal": "I cannot help with that."}
    body = {"model": "m", "choices": [{"message": message, "finish_reason": "stop"}]}
    row = {"custom_id": "l1", "response": {"status_code": 200, "body": body}, "error": None}
    log = read_log(plain(tmp_path / "out.jsonl", row), "openai-batch", suite)
    assert log.completion("l1", 1).text == "I cannot help with that."


def plain(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def test_plain_lines_are_matched_by_id_or_by_the_text_of_the_prompt(suite: Suite, tmp_path: Path) -> None:
    text = LEASES["l2"][0]
    rows = ({"id": "l1", "answer": "a"}, {"prompt": f"{PROMPT}\n{text}", "answer": "b"}, {"id": "l3", "error": "late"})
    log = read_log(plain(tmp_path / "mine.jsonl", *rows), "jsonl", suite)
    assert (texts(log), log.model.name) == ({"l1": "a", "l2": "b", "l3": ""}, "mine")


def test_fields_without_a_value_are_left_out_as_pandas_writes_them(suite: Suite, tmp_path: Path) -> None:
    bare = {"prompt": None, "model": None, "repeat": None}
    rows = (
        {"id": "l1", "answer": "a", "error": None, **bare},
        {"id": "l2", "answer": "b", "error": float("nan"), **bare},
        {"id": "l3", "answer": None, "error": "late", **bare},
    )
    assert texts(read_log(plain(tmp_path / "mine.jsonl", *rows), "jsonl", suite)) == {"l1": "a", "l2": "b", "l3": ""}


TABLE = [("id", "answer", "model", "repeat"), ("l1", "assignment", "m", 1), ("l1", "none", "m", 2)]


def test_rows_of_csv_and_excel_are_answers(suite: Suite, tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    workbook = openpyxl.Workbook()
    for row in TABLE:
        workbook.active.append(row)
    workbook.save(tmp_path / "mine.xlsx")
    (tmp_path / "mine.csv").write_text("".join(";".join(map(str, row)) + "\n" for row in TABLE))
    for name in ("mine.csv", "mine.xlsx"):
        log = read_log(tmp_path / name, "table", suite)
        assert [log.completion("l1", repeat).text for repeat in (1, 2)] == ["assignment", "none"], name
        assert (log.repeats, log.model.name) == (2, "m"), name


def test_a_row_without_an_id_is_matched_by_its_other_columns(suite: Suite, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text(f'question,answer\n"{LEASES["l2"][0]}",holdover\n')
    assert read_log(tmp_path / "mine.csv", "table", suite).completion("l2", 1).text == "holdover"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,reply\nl1,none\n", r"mine.csv: no column 'answer'. It has: 'id', 'reply'. Expected a column 'answer' and"),
        ("Id,Answer\nl1,none\n", r"'Id' should be 'id', 'Answer' should be 'answer'"),
        ("id,answer\nl1,none,\n", r"mine.csv: line 2: has 3 cells, and the header has 2"),
        ("id,answer,repeat\nl1,none,0\n", r"mine.csv: line 2: repeat is '0', expected 1 for the first answer"),
        ("id,answer\n", r"mine.csv: has no answer"),
    ],
)
def test_a_table_that_cannot_be_read_is_one_line(suite: Suite, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "mine.csv").write_text(text)
    with pytest.raises(UserError, match=said) as caught:
        read_log(tmp_path / "mine.csv", "table", suite)
    assert "\n" not in str(caught.value)


def test_an_empty_answer_is_an_answer(suite: Suite, tmp_path: Path) -> None:
    log = read_log(plain(tmp_path / "mine.jsonl", {"id": "l1", "answer": ""}), "jsonl", suite)
    assert (log.completion("l1", 1).text, log.completion("l1", 1).error) == ("", None)


@pytest.mark.parametrize(
    ("form", "text"), [("jsonl", '{"id": "l1", "answer": "a"}'), ("deepeval", '{"testCases": []}')]
)
@pytest.mark.parametrize(
    ("encoding", "said"), [("utf-8-sig", "starts with a byte order mark"), ("utf-16", "is UTF-16")]
)
def test_a_log_with_a_byte_order_mark_says_so(
    suite: Suite, tmp_path: Path, form: str, text: str, encoding: str, said: str
) -> None:
    (tmp_path / "mine").write_text(text, encoding)
    with pytest.raises(UserError, match=said):
        read_log(tmp_path / "mine", form, suite)


def test_a_line_without_a_model_belongs_to_the_only_one_that_is_named(suite: Suite, tmp_path: Path) -> None:
    rows = ({"id": "l1", "answer": "a"}, {"id": "l2", "answer": "b", "model": "m"})
    log = read_log(plain(tmp_path / "mine.jsonl", *rows), "jsonl", suite)
    assert log.model.name == "m" and log.has("l1", 1) and log.has("l2", 1)


def test_a_line_without_a_model_in_a_log_of_two_models_belongs_to_neither(suite: Suite, tmp_path: Path) -> None:
    rows = ({"id": "l1", "answer": "a", "model": "m"}, {"id": "l1", "answer": "b", "model": "n"}, {"id": "l2"})
    file = plain(tmp_path / "mine.jsonl", *(row | {"answer": "a"} for row in rows))
    with pytest.raises(UserError, match="1 answer without a model in a log of several, the first: line 3"):
        read_log(file, "jsonl", suite, "m")


def test_the_document_alone_does_not_name_the_case_of_a_question_about_it(tmp_path: Path) -> None:
    """Other questions about the same documents are other cases."""
    text, question = LEASES["l1"][0], "May the tenant assign?"
    case = {"input": {"document": text, "question": question}, "expected": ["assignment"], "cluster": "l"}
    folder = write_suite(tmp_path, [case | {"id": "l1", "tags": {"instrument": "lease"}}], TEST, name="leases")
    (folder / "prompt.jinja").write_text("{{ question }}\n\n{{ document }}")
    asked = suites(tmp_path)[0]

    def log(name: str, question: str) -> Path:
        doc = {"document": text, "question": question}
        return plain(tmp_path / name, {"doc": doc, "arguments": {}, "resps": [["assignment"]]})

    assert read_log(log("same.jsonl", question), "lm-eval", asked).completion("l1", 1).text == "assignment"
    with pytest.raises(UserError, match="1 answer without a case in legal/leases"):
        read_log(log("other.jsonl", "When is rent due?"), "lm-eval", asked)


def test_an_answer_to_all_inputs_is_not_one_to_a_case_without_the_optional_input(tmp_path: Path) -> None:
    inputs = {"open": {"question": "May I?", "document": ""}, "l1": {"question": "May I?", "document": LEASES["l1"][0]}}
    cases = [
        {"id": name, "input": texts, "expected": [], "cluster": "l", "tags": {"instrument": "lease"}}
        for name, texts in inputs.items()
    ]
    folder = write_suite(tmp_path, cases, TEST, name="leases")
    (folder / "prompt.jinja").write_text("{{ question }}\n\n{{ document }}")
    rows = [{"doc": dict(texts), "arguments": {}, "resps": [[name]]} for name, texts in inputs.items()]
    log = read_log(plain(tmp_path / "a.jsonl", *rows), "lm-eval", suites(tmp_path)[0])
    assert [log.completion(name, 1).text for name in inputs] == list(inputs)


def test_an_input_that_a_log_has_as_a_number_names_its_case(tmp_path: Path) -> None:
    inputs = {"document": LEASES["l1"][0], "months": "12", "rent": "850.5"}
    case = {"id": "l1", "input": inputs, "expected": [], "cluster": "l", "tags": {"instrument": "lease"}}
    folder = write_suite(tmp_path, [case], TEST, name="leases")
    (folder / "prompt.jinja").write_text("{{ document }} {{ months }} {{ rent }}")
    doc = inputs | {"months": 12, "rent": 850.5}
    file = plain(tmp_path / "a.jsonl", {"doc": doc, "arguments": {}, "resps": [["none"]]})
    assert read_log(file, "lm-eval", suites(tmp_path)[0]).completion("l1", 1).text == "none"


@pytest.mark.parametrize(("form", "row", "said"), [
    ("jsonl", {"id": "l1", "answer": "a", "repeat": 0}, "a.jsonl:1: cannot be read: Expected `int` >= 1"),
    ("lm-eval", {"doc": {"x": '["\\ud800"]'}, "arguments": {}, "resps": [["a"]]}, "1 answer without a case"),
])  # fmt: skip
def test_a_repeat_before_the_first_and_half_a_character_are_one_line(
    suite: Suite, tmp_path: Path, form: str, row: dict[str, object], said: str
) -> None:
    with pytest.raises(UserError, match=said) as caught:
        read_log(plain(tmp_path / "a.jsonl", row), form, suite)
    assert "\n" not in str(caught.value)


def test_answers_without_a_case_or_with_a_case_that_has_one_are_named_together(suite: Suite, tmp_path: Path) -> None:
    ids: list[object] = ["l1", "l1", "x9"]
    file = plain(tmp_path / "a.jsonl", *({"id": name, "answer": "none"} for name in ids))
    with pytest.raises(UserError) as caught:
        read_log(file, "jsonl", suite)
    assert "1 answer without a case in legal/leases, the first: line 3 (id 'x9')" in str(caught.value)
    assert "1 answer to cases that have one already, the first: 'l1' at line 2" in str(caught.value)


def test_an_id_and_a_prompt_of_two_cases_fit_neither(suite: Suite, tmp_path: Path) -> None:
    file = plain(tmp_path / "a.jsonl", {"id": "l1", "prompt": LEASES["l2"][0], "answer": "none"})
    with pytest.raises(UserError, match=r"line 1 \(id 'l1'\) fits l1 and l2"):
        read_log(file, "jsonl", suite)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["lm-eval", "inspect", "promptfoo", "deepeval", "openai-batch", "jsonl"])
@pytest.mark.parametrize("content", [b"", b'{"id": "l1", "ans', b'{"other": 1}\n', b"\xff\xfe\n"])
def test_a_file_that_is_no_log_is_one_line(suite: Suite, tmp_path: Path, form: str, content: bytes) -> None:
    file = tmp_path / "broken"
    file.write_bytes(content)
    with pytest.raises(UserError, match=r"Expected|has no answer") as caught:
        read_log(file, form, suite)
    assert "\n" not in str(caught.value) and str(file) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "form"), [("inspect.eval", "inspect"), ("promptfoo.json", "promptfoo"), ("deepeval.json", "deepeval")]
)
def test_a_log_that_was_cut_off_is_one_line(suite: Suite, tmp_path: Path, name: str, form: str) -> None:
    file = tmp_path / name
    file.write_bytes((FILES / name).read_bytes()[:-600])
    with pytest.raises(UserError, match="Expected") as caught:
        read_log(file, form, suite)
    assert "\n" not in str(caught.value)


def test_a_score_of_another_tool_that_is_no_number_costs_no_answer(suite: Suite, tmp_path: Path) -> None:
    unscored = inspect_log(tmp_path / "a.eval", lambda s: s["scores"]["includes"].update(value=float("nan")))
    assert texts(read_log(unscored, "inspect", suite)) == RIGHT
    rows = [
        {"id": "l1", "answer": "NaN", "score": float("-inf")},
        {"id": "l2", "answer": "Infinity"},
        {"id": "l3", "answer": "none", "score": float("nan")},
    ]
    log = read_log(plain(tmp_path / "a.jsonl", *rows), "jsonl", suite)
    assert texts(log) == {"l1": "NaN", "l2": "Infinity", "l3": "none"}
    (tmp_path / "a.jsonl").write_text('{"id": "l1", "answer": NaN')
    with pytest.raises(UserError, match=r"a.jsonl:1: cannot be read: Expecting ',' delimiter"):
        read_log(tmp_path / "a.jsonl", "jsonl", suite)


def test_an_answer_that_is_given_twice_in_a_line_is_refused(suite: Suite, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": "l1", "answer": "a", "answer": "b"}')
    with pytest.raises(UserError, match=r"a.jsonl:1: cannot be read: has the key 'answer' twice"):
        read_log(tmp_path / "a.jsonl", "jsonl", suite)


def test_a_sample_of_an_inspect_log_that_was_changed_is_one_line(suite: Suite, tmp_path: Path) -> None:
    file = Path(shutil.copy(FILES / "inspect.eval", tmp_path))
    data = bytearray(file.read_bytes())
    with zipfile.ZipFile(file) as archive:
        start = archive.getinfo("samples/l2_epoch_1.json").header_offset
    data[start + 100 : start + 120] = bytes(20)
    file.write_bytes(data)
    with pytest.raises(UserError, match=r"samples/l2_epoch_1.json: cannot be read") as caught:
        read_log(file, "inspect", suite)
    assert "\n" not in str(caught.value)


def test_an_answer_without_end_is_refused_with_its_place(
    suite: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_log, "LONGEST_ANSWER", 10)
    file = plain(tmp_path / "a.jsonl", {"id": "l1", "answer": "none"}, {"id": "l2", "answer": "x" * 11})
    with pytest.raises(UserError, match="line 2: the answer has 11 characters, expected at most 10"):
        read_log(file, "jsonl", suite)
