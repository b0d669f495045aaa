"""`tunegate init` as a user meets it: what is missing, what is refused, what is asked, and that nothing is lost."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harness.errors import UserError
from harness.scaffold import paths as scaffold_paths
from harness.scaffold.answer_kinds import kinds
from harness.scaffold.create import create_suite, only_suite
from harness.scaffold.paths import place, suite_name
from harness.scaffold.render import files_of
from harness.scaffold.wizard import answers, read_bar, read_fields, read_labels
from harness.suites.cases import load_cases
from harness.suites.prompts import messages
from tests.support.command import outcome
from tests.support.pseudo_terminal import run_on_terminal


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its content."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder as the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def tunegate(here):
    """Run the command in an empty folder, without a terminal; returns exit code, stdout and stderr."""
    return outcome


@pytest.mark.parametrize(("words", "flags"), [
    ([], "--kind, --instruction, --source, --bar, --compared, --objective."),
    (["--kind", "label"], "--labels, --instruction, --source, --bar, --compared, --objective."),
    (["--kind", "grounded", "--bar", "90"], "--instruction, --source, --compared, --invents, --objective."),
    (["--kind", "number"], "--tolerance, --instruction,"),
    (["--kind", "json"], "--fields, --instruction,"),
])  # fmt: skip
def test_without_a_terminal_what_has_no_answer_is_named_in_one_line(tunegate, here, words, flags):
    code, _, err = tunegate("init", "contracts/fees", *words)
    assert code == 4
    assert err.startswith("tunegate: there is no terminal") and flags in err and "--yes" in err
    assert len(err.strip().splitlines()) == 1
    assert tree(here) == {}


@pytest.mark.parametrize(("words", "said"), [
    (["../x"], "'..' cannot name a folder"),
    (["/etc/passwd"], "has 3 parts"),
    (["a/b/c"], "has 3 parts"),
    (["evalsuites/../x"], "'..' cannot name a folder"),
    (["Real Estate"], "Write 'real_estate'"),
    (["contracts/class"], "'class' cannot name a folder"),
    (["contracts/"  "1st"], "Write 'st'"),
    (["contracts/fees\n"  "x"], "cannot name a folder"),
    (["x", "--kind", "poem"], "--kind 'poem': expected one of label, list, number, json, text, grounded"),
    (["x", "--kind", "7"], "--kind '7': expected one of"),
    (["x", "--bar", "100"], "no number of cases can show that a model is always right"),
    (["x", "--bar", "1"], "--bar 1: is that 1 or 100 of 100?"),
    (["x", "--bar", "most"], "--bar 'most': expected how many of 100"),
    (["x", "--labels", "one"], "--labels: found ['one'], expected two or more"),
    (["x", "--labels", "one; one"], "--labels: found ['one'], expected two or more"),
    (["x", "--labels", "a; A"], "label 'A' is the same as 'a'"),
    (["x", "--kind", "list", "--labels", "fee; none"], "'none' means in an answer that there is none"),
    (["x", "--kind", "list", "--labels", "1. Rent; 2. Pets"], "'1. Rent' is not recognised where an answer lists it"),
    (["x", "--kind", "list", "--labels", f"Rent; {' '.join(map(str, range(11)))}"], "has 11 words, and an entry"),
    (["x", "--labels", "a; \x1b[31m"], "is not a line of text"),
    (["x", "--labels", "Rent; " + "x" * 501], "xxx…' has 501 characters, expected at most 500. Shorten it"),
    (["x", "--kind", "json", "--fields", "rent: money"], "'rent: money' is not a field"),
    (["x", "--kind", "json", "--fields", "rent; rent"], "names a field twice"),
    (["x", "--kind", "number", "--tolerance", "a bit"], "--tolerance 'a bit': expected a number"),
    (["x", "--source", "2 of them"], "--source '2 of them': expected a word"),
    (["x", "--compared", "maybe"], "--compared 'maybe': expected one of better, no_worse, alone"),
    (["x", "--fields", "a: text"], "--fields does not apply to --kind label"),
    (["x", "--invents", "few"], "--invents does not apply to --kind label"),
    (["x", "--objective", " "], "--objective: '' is not a line of text"),
    (["x", "--from", "legal/nothing"], "no such suite comes with tunegate. There are: brand/voice,"),
    (["x", "--from", "../legal/clauses"], "no such suite comes with tunegate"),
    (["x", "--from", "legal/clauses", "--bar", "90"], "leave out --bar"),
    (["x", "--from", "legal/clauses_long"], "it is built from legal/clauses and needs it"),
])  # fmt: skip
def test_a_mistake_is_one_line_and_leaves_nothing(tunegate, here, words, said):
    code, _, err = tunegate("init", *words, "--yes")
    assert code == 4, err
    assert said in err and err.startswith("tunegate: ") and len(err.strip().splitlines()) == 1
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(("text", "share"), [("90", 0.9), ("90%", 0.9), ("0.9", 0.9), (".95", 0.95), ("97.5", 0.975)])
def test_a_bar_is_read_as_people_write_it(text, share):
    assert read_bar(text) == share


def test_labels_and_fields_are_read_as_people_write_them():
    assert read_labels("urgent, normal", "label") == ("urgent", "normal")
    assert read_labels("this, or that; neither", "label") == ("this, or that", "neither")
    many = tuple(f"A clause on subject number {number}" for number in range(60))
    assert read_labels("; ".join(many), "list") == many
    assert [(f.name, f.type) for f in read_fields("party; rent: Number; paid: yes/no")] == [
        ("party", "text"), ("rent", "number"), ("paid", "yes/no"),
    ]  # fmt: skip


@pytest.mark.parametrize(("text", "name"), [
    ("contracts", ("contracts", "first")),
    ("contracts/late_fees", ("contracts", "late_fees")),
    ("evalsuites/contracts/late_fees/", ("contracts", "late_fees")),
    ("./evalsuites/contracts/late_fees", ("contracts", "late_fees")),
    (str(Path.cwd() / "evalsuites/contracts/late_fees"), ("contracts", "late_fees")),
    ("evalsuites", ("evalsuites", "first")),
])  # fmt: skip
def test_a_name_is_a_domain_and_a_suite(text, name):
    assert suite_name(text) == name


def sources(here):
    """Every file but what Python compiles."""
    return {name: text for name, text in tree(here).items() if "__pycache__" not in str(name)}


@pytest.mark.slow
def test_below_a_project_no_second_one_begins(tunegate, here, monkeypatch):
    assert tunegate("init", "tickets/sort", "--kind", "label", "--yes")[0] == 0
    before = sources(here)
    monkeypatch.chdir(here / "evalsuites" / "tickets")
    table = ("import", "t.csv", "--into", "tickets/sort", "--id", "id", "--expected", "a", "--input", "document=text")
    approval = ("approval", "--suite", "sort")
    for words in (("init", "tickets/other", "--yes"), ("cases", *table), approval):
        code, _, err = tunegate(*words)
        assert (code, err) == (4, f"tunegate: your project is {here}: run this command there, not in {Path.cwd()}\n")
    assert sources(here) == before


@pytest.mark.parametrize("kind", ["label", "list", "number", "json", "text", "grounded"])
def test_the_title_has_no_threshold_since_blind_reviewers_read_it(tunegate, here, kind):
    assert tunegate("init", "contracts/fees", "--kind", kind, "--yes")[0] == 0
    suite = only_suite(here / "evalsuites" / "contracts" / "fees")
    assert suite.title == f"{kinds()[kind].aim}."
    assert not re.search(r"\d|model in use", suite.title)


def test_nothing_is_overwritten(tunegate, here):
    assert tunegate("init", "contracts/fees", "--yes")[0] == 0
    before = tree(here)
    for words in (["--yes"], ["--from", "legal/clauses"]):
        code, _, err = tunegate("init", "contracts/fees", *words)
        assert code == 4 and "evalsuites/contracts/fees exists, and nothing is overwritten" in err
    assert tree(here) == before


@pytest.mark.parametrize("taken", ["evalsuites", "evalsuites/contracts", "evalsuites/contracts/fees"])
def test_a_file_in_the_way_is_named_and_stays(tunegate, here, taken):
    (here / taken).parent.mkdir(parents=True, exist_ok=True)
    (here / taken).write_text("mine")
    before = tree(here)
    code, _, err = tunegate("init", "contracts/fees", "--yes")
    assert code == 4 and taken in err and len(err.strip().splitlines()) == 1
    assert tree(here) == before


def test_a_link_in_the_way_is_not_followed(tunegate, here):
    (here / "evalsuites/contracts").mkdir(parents=True)
    (here / "evalsuites/contracts/fees").symlink_to(here / "nowhere")
    assert tunegate("init", "contracts/fees", "--yes")[0] == 4
    assert not (here / "nowhere").exists()


@pytest.mark.parametrize("exists", ["", "evalsuites", "evalsuites/contracts"])
@pytest.mark.parametrize("fails", ["while the suite is filled", "at the last step"])
def test_a_failure_leaves_nothing_behind(here, monkeypatch, exists, fails):
    (here / exists).mkdir(parents=True, exist_ok=True)
    before = sorted(here.rglob("*"))
    rename = Path.rename

    def fill(folder: Path) -> None:
        (folder / "cases.jsonl").write_text("half")
        if fails == "while the suite is filled":
            raise OSError(28, "No space left on device")

    def full(self: Path, target: Path) -> Path:
        if target == scaffold_paths.ROOT / "contracts" / "fees":
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(UserError, match=r"cannot be written \(No space left on device\)"):
        place("contracts", "fees", fill)
    assert sorted(here.rglob("*")) == before


def test_a_suite_that_does_not_hold_is_not_put_in_place(here, monkeypatch):
    """The check is the one that a run makes: a prompt that the examples cannot fill is caught."""
    from harness.scaffold import create as beginning

    def broken(domain: str, suite: str, known: dict) -> dict[str, str]:
        return files_of(domain, suite, known) | {"prompt.jinja": "{{ clause }}"}

    monkeypatch.setattr(beginning, "files_of", broken)
    with pytest.raises(UserError, match="the prompt needs a variable its input lacks"):
        create_suite("contracts", "fees", {}, None, print, True)
    assert list(here.iterdir()) == []


HOSTILE = [
    '"""', 'ends with "', "ends with \\", "{{ document }}", "{% raw %}", "{# x #}", "{% endraw %} {{", 'a"b', "it's",
    "<< x >>", "$HOME", "[[gate]]", "# no comment", "<b>", "é 你好",
]  # fmt: skip
WORDS = st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"]), min_size=1)
LINES = st.lists(WORDS, min_size=1, max_size=6).map(" ".join)


def said_word_for_word(folder: Path, kind: str, labels: list[str], instruction: str, objective: str) -> None:
    """Write a suite of these and look for them in what the model is told, the suite's title and the gates."""
    given = {"kind": kind, "labels": ";".join(labels), "instruction": instruction, "objective": objective}
    known = answers(given, None, print, True)
    folder.mkdir(parents=True)
    for name, content in files_of("domain", "suite", known).items():
        (folder / name).write_text(content, "utf-8")
    compile((folder / "__init__.py").read_text("utf-8"), "__init__.py", "exec")
    (folder / "__init__.py").unlink()
    suite = only_suite(folder)
    assert suite.title  # The bare aim: the objective may name thresholds, which a blind reviewer must not see.
    assert tomllib.loads((folder / "gates.toml").read_text("utf-8"))["objective"]["text"] == known["objective"]
    for case in suite.cases:
        asked = messages(suite.template, case)[-1]["content"]
        assert known["instruction"] in asked and "; ".join(known["labels"]) in asked
        assert case.document in asked


@pytest.mark.slow
@pytest.mark.parametrize("text", HOSTILE)
def test_text_that_means_something_to_a_file_is_said_word_for_word(tmp_path, text):
    said_word_for_word(tmp_path / "d" / "label", "label", [f"one {text}", "two"], text, text)
    in_list = f"one {text}".replace("<b>", "b")  # Tags are no part of an entry.
    said_word_for_word(tmp_path / "d" / "list", "list", [in_list, "two"], text, text)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(instruction=LINES, objective=LINES, labels=st.lists(LINES, min_size=2, max_size=4, unique=True))
@pytest.mark.parametrize("kind", ["label", "list"])
def test_what_a_person_writes_is_said_word_for_word(kind, instruction, objective, labels, tmp_path_factory):
    try:
        said_word_for_word(tmp_path_factory.mktemp("made") / "d" / "s", kind, labels, instruction, objective)
    except UserError as refused:
        assume("label" not in str(refused) and "clause" not in str(refused))
        raise


def test_own_labels_get_examples_that_say_what_they_stand_for(here):
    known = answers({"kind": "list", "labels": "red; green; blue"}, None, print, True)
    cases = files_of("d", "s", known)["cases.jsonl"].splitlines()
    assert len(cases) == 5
    assert '"expected":["red"]' in cases[0] and "right answer is: red" in cases[0]
    assert '"expected":[]' in cases[4] and "none of them" in cases[4]


def test_the_import_that_comes_next_reads_answers_as_the_prompt_asks_for_them(tunegate, here):
    _, out, _ = tunegate("init", "contracts/fees", "--kind", "list", "--labels", "late fee; pets", "--yes")
    (command,) = [line for line in out.splitlines() if " cases import FILE.csv" in line]
    (here / "FILE.csv").write_text("ID,DOCUMENT,ANSWER,SOURCE\n1,One.,late fee; pets,a\n2,Two.,None,b\n")
    code, _, err = tunegate(*shlex.split(command)[1:])
    assert code == 0, err
    assert [case.expected for case in load_cases("evalsuites/contracts/fees/cases.jsonl")] == [["late fee", "pets"], []]


@pytest.mark.parametrize("kind", ["label", "list"])
def test_a_label_in_any_script_fits_into_the_answer(kind, here):
    """A tokenizer of bytes has at most one token for each byte of a text."""
    long = "投诉与退货处理要求"
    test = files_of("d", "s", answers({"kind": kind, "labels": f"{long}; 问题"}, None, print, True))["test_s.py"]
    assert int(re.search(r"max_tokens=(\d+)", test)[1]) > len(long.encode())


def test_own_fields_get_a_schema_and_examples_that_obey_it(here):
    import json

    from jsonschema import Draft202012Validator

    known = answers({"kind": "json", "fields": 'the "party": text; rent: number; paid: yes/no'}, None, print, True)
    files = files_of("d", "s", known)
    validator = Draft202012Validator(json.loads(files["schema.json"]))
    for line in files["cases.jsonl"].splitlines():
        validator.validate(json.loads(json.loads(line)["expected"][0]))
    assert not validator.is_valid({'the "party"': "a", "rent": "much", "paid": True})


def test_every_kind_has_five_examples_and_only_numbers_have_a_tolerance():
    assert {name: len(kind.example) for name, kind in kinds().items()} == dict.fromkeys(kinds(), 5)
    assert [name for name, kind in kinds().items() if kind.has_tolerance] == ["number"]


def test_a_tolerance_reaches_the_scorer(tunegate, here):
    assert tunegate("init", "d/s", "--kind", "number", "--tolerance", "5%", "--yes")[0] == 0
    assert "numeric.within(relative=0.05)" in (here / "evalsuites/d/s/test_s.py").read_text()


def typed(folder: Path, *lines: str) -> tuple[int, str]:
    """Run `tunegate init contracts/fees` on a terminal, typing a line at each question; returns code and screen."""
    answers = [line.encode() if line == END else f"{line}\n".encode() for line in lines]
    seen = run_on_terminal(("tunegate", "init", "contracts/fees"), folder, columns=160, answers=answers)
    return seen.code, seen.written


END = "\x04"
"""Ctrl-D, which ends the input."""


def test_on_a_terminal_everything_is_asked_in_plain_words_and_a_wrong_answer_is_asked_again(tmp_path):
    code, screen = typed(tmp_path, "2", "late fee; deposit", "", "lease", "100", "95", "alone", "few", "")
    assert code == 0, screen
    assert "What do you want from the model?" in screen and "2 list: several names from a fixed list" in screen
    assert "no number of cases can show that a model is always right" in screen
    assert "Needs about 420 leases to show that" in screen
    gates = tomllib.loads((tmp_path / "evalsuites/contracts/fees/gates.toml").read_text())
    assert [(g["metric"], g["rule"], g.get("value")) for g in gates["gate"]] == [
        ("clause_recall", "at_least", 0.95),
        ("clause_precision", "at_least", 0.95),
        ("false_alarm_rate", "at_most", 0.05),
    ]
    assert "Name everything on the list that a text contains, right in at least 95" in gates["objective"]["text"]


def test_who_leaves_at_a_question_leaves_nothing(tmp_path):
    code, screen = typed(tmp_path, "1", END)
    assert code == 2 and "interrupted" in screen
    assert list(tmp_path.iterdir()) == []
