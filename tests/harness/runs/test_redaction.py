"""Secrets are masked before they are written, counted, and looked for again; no message repeats one."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.env import REDACT
from harness.errors import UserError
from harness.runs import redaction, score_events
from harness.runs.folder import RunFolder, check_seal, load_manifest, load_run
from harness.runs.redaction import BLOCK, FORMS, Redactor
from harness.schema import Manifest, Score, ScoreEvent
from tests.support.mini import pytest_in, right, rows, write_script, write_suite

D = "0123456789abcdefghijABCDEFGHIJ0123456789xyz"
SECRETS = {
    "api key": f"sk-proj-{D}",
    "github token": f"ghp_{D}",
    "gitlab token": f"glpat-{D[:20]}",
    "hugging face token": f"hf_{D}",
    "aws key": "AKIAABCDEFGHIJKLMNOP",
    "google key": f"AIza{D[:35]}",
    "slack token": "xoxb-1234567890-abcdefgh",
    "json web token": f"eyJ{D}.eyJ{D}.{D}",
    "bearer token": f"Bearer {D}",
    "password in a url": "robot:hunter2pass",
    "assigned secret": 'api_key = "a1b2c3d4e5f6g7"',
    "private key": "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----",
}
HARMLESS = [
    "Bearer bonds and the bearer of certificates",
    "The password is confidential. Password: to be agreed",
    "risk-management-and-insurance-obligations of the tenant",
    "a" * 64,
    "20261125T215958Z-compare-0a1b2c3d",
    "task-0123456789-abcdefghij-klm",
    "https://example.org:8000/a@b",
    "sections 44-14-160 through 44-14-162.2",
    "keys: 3 keys; token ring; secret santa",
]


FACTS = """from harness import Suite
from harness.scoring.grounding import facts

suite = Suite(scorers=[facts.fabricated], max_tokens=8)
"""
FACT_GATES = """[objective]
text = "No inventions."

[[gate]]
metric = "fabrication_rate"
rule = "at_most"
value = 0.5
"""


def mask(redactor: Redactor, value: Any) -> Any:
    (line,) = redactor.mask([msgspec.json.encode(value)])
    return msgspec.json.decode(line)


def test_every_form_has_an_example() -> None:
    assert set(SECRETS) == set(FORMS)


@pytest.mark.parametrize("opening", ["See ", "The key:\n"])
@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_becomes_blocks_of_its_length_and_is_counted(kind: str, opening: str) -> None:
    redactor = Redactor()
    before = f"{opening}postgres://" if kind == "password in a url" else opening
    text = {"input": {"document": f"{before}{SECRETS[kind]}@host, and so on."}}
    found = mask(redactor, text)["input"]["document"]
    assert len(found) == len(text["input"]["document"]) and SECRETS[kind] not in found
    assert found.startswith(before + BLOCK) and found.endswith("host, and so on.")
    assert redactor.counts == {kind: 1} and redactor.kinds_in_json(msgspec.json.encode(text)) == [kind]


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("password = ", "hunter22"),
        ('DB_PASSWORD="', "Tr0ub4dor&3"),
        ("passwd: ", "p@ssw0rd!"),
        ("SHOP_API_KEY=", "abcdefghijk1"),
    ],
)
def test_a_secret_after_its_name_is_masked(name: str, secret: str) -> None:
    found = mask(Redactor(), f"With {name}{secret}, and so on.")
    assert found.endswith(f"{BLOCK * len(secret)}, and so on.") and secret not in found


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_stays(text: str) -> None:
    redactor = Redactor()
    assert mask(redactor, [text]) == [text]
    assert not redactor.counts and redactor.kinds(text) == []


PREFIXES = ("sk-", "-eyJa", "-eyJaaaaaaaaaaa.eyJ", "://a:", "://", "api_key=", "Bearer a ", "-----BEGIN A")


@pytest.mark.parametrize("piece", [*PREFIXES, *(secret[:-1] + " " for secret in SECRETS.values())])
def test_a_long_text_is_looked_through_in_no_time(piece: str) -> None:
    """Work that grows with the square of the text would take minutes here."""
    start = time.process_time()
    Redactor().kinds(piece * (100_000 // len(piece)))
    assert time.process_time() - start < 5


def test_values_of_secret_variables_are_masked_and_others_are_not() -> None:
    redactor = Redactor(
        environment={
            "OPENAI_API_KEY": 'local"key\\1é',
            "MY_PASSWORD": "disabled",
            "PATH_KEY": "/usr/share/key1",
            "HOME": "homefolder1",
        }
    )
    text = 'They said local"key\\1é, disabled, /usr/share/key1 and homefolder1.'
    found = mask(redactor, text)
    assert found == text.replace('local"key\\1é', BLOCK * 12)
    assert redactor.counts == {redaction.ENVIRONMENT: 1}


@pytest.mark.parametrize("name", ["SHOP_APIKEY", "shop_secret"])
def test_a_secret_variable_is_known_by_the_end_of_its_name(name: str) -> None:
    assert mask(Redactor(environment={name: "localkey1"}), "a localkey1.") == f"a {BLOCK * 9}."


def own(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "redact.toml"
    path.write_text(text)
    return path


def test_a_word_in_markdowns_emphasis_is_masked_and_a_part_of_a_name_is_not(tmp_path: Path) -> None:
    redactor = Redactor(redaction.load(own(tmp_path, "words = ['Jane']")))
    found = mask(redactor, "_Jane_ or (__Jane__), not Jane_Doe, my_jane or __jane__doe")
    assert found == f"_{BLOCK * 4}_ or (__{BLOCK * 4}__), not Jane_Doe, my_jane or __jane__doe"


def test_words_and_patterns_of_a_file_are_masked_in_any_case_and_as_whole_words(tmp_path: Path) -> None:
    path = own(tmp_path, "words = ['Acme  Holdings', 'Quill']\n[patterns]\nmatter = 'M-\\d{6}'\n")
    redactor = Redactor(redaction.load(path))
    found = mask(redactor, "ACME\nHoldings hired Quill, not Quillon, in M-123456.")
    assert found == f"{BLOCK * 13} hired {BLOCK * 5}, not Quillon, in {BLOCK * 8}."
    assert redactor.counts == {"word": 2, "matter": 1}


@pytest.mark.parametrize(
    "text", ["José O'Brien-Cruz", "Jose\u0301 O'Brien-Cruz", "JOSÉ O’BRIEN-CRUZ", "José O'Brien\u2011Cruz"]
)
@pytest.mark.parametrize("word", ["José O'Brien-Cruz", "Jose\u0301 O’Brien\u2011Cruz"])
def test_a_word_is_masked_however_a_program_writes_its_accents_apostrophes_and_hyphens(
    tmp_path: Path, word: str, text: str
) -> None:
    redactor = Redactor(redaction.load(own(tmp_path, f'words = ["{word}"]')))
    assert mask(redactor, f"{text}, here.") == f"{BLOCK * len(text)}, here."


def test_an_own_pattern_may_have_the_name_of_a_known_form() -> None:
    redactor = Redactor({"api key": "Q-[0-9]{3}"})
    assert mask(redactor, f"Q-123 and {SECRETS['api key']}") == f"{BLOCK * 5} and {BLOCK * len(SECRETS['api key'])}"
    assert redactor.counts == {"api key": 2}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("words = 'Acme'", "'words' is not a list of texts"),
        ("words = ['']", "'words' is not a list of texts"),
        ("word = ['Acme']", "unknown key 'word'"),
        ("patterns = 3", "'patterns' is not a table"),
        ("[patterns]\na = '['", "pattern 'a': is not a regular expression"),
        ("[patterns]\na = 3", "pattern 'a': is not a text"),
        ("[patterns]\na = 'x*'", "pattern 'a': matches the empty text"),
        ("[patterns]\nword = 'x'", "pattern 'word': is the name of the words"),
        ("words = [", "not valid TOML"),
        ("[patterns]\naccount = '\\d{6}'", "'account': matches '202601' in '20260131T"),
        ("[patterns]\nborn = '\\b\\d{4}-\\d{2}-\\d{2}\\b'", "'born': matches '2026-01-31' in"),
        ("words = ['Acme', 'Stop']", "'words': matches 'stop' in 'stop'"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        redaction.load(own(tmp_path, text))
    assert said in str(caught.value) and str(caught.value).startswith(str(tmp_path))


def test_the_file_of_a_project_counts_in_every_folder_of_it(tmp_path: Path) -> None:
    planted(tmp_path, "none")
    own(tmp_path, "words = ['Acme Holdings']")
    (tmp_path / "pyproject.toml").write_text("[tool.tunegate]\n")
    words = ("--engine", "fake", "--eval-script", "../../script.json")
    done = pytest_in(tmp_path / "evalsuites" / "legal", *words, chosen=["mini"])
    assert done.returncode in (0, 1), done.stdout + done.stderr
    assert [name for name, text in everything(tmp_path / "runs") if "Acme" in text] == []


def test_a_list_that_cannot_be_used_leaves_no_empty_run_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REDACT, str(own(tmp_path, "words = 'Acme'")))
    with pytest.raises(UserError, match="'words' is not a list of texts"):
        RunFolder.create(tmp_path / "runs", "eval")
    assert not (tmp_path / "runs").exists()


def test_a_named_file_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(REDACT, str(tmp_path / "none.toml"))
    with pytest.raises(UserError, match="cannot be read"):
        redaction.default_redactor()


PIECES = st.sampled_from([*SECRETS.values(), *HARMLESS, "://", "@", "key=", " ", "\n", '"', "\\", "é🏠"])
TEXTS = st.lists(PIECES | st.text(max_size=5), max_size=6).map("".join)


@settings(max_examples=60, deadline=None)
@given(st.recursive(TEXTS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner)))
def test_whatever_is_masked_keeps_its_shape_and_holds_no_secret_any_more(value: Any) -> None:
    redactor = Redactor({"word": "(?i)quill"})
    found = mask(redactor, value)
    before = redactor.counts
    assert mask(redactor, found) == found and redactor.counts == before
    assert [len(text) for text in texts(found)] == [len(text) for text in texts(value)]
    assert all(redactor.kinds(text) == [] for text in texts(found))


def texts(value: Any) -> Iterator[str]:
    return redaction._texts(value)


def planted(tmp_path: Path, secret: str) -> list[dict[str, object]]:
    cases = rows(4)
    for case in cases:
        case["input"] = {"document": f"The key is {secret}. Acme Holdings pays. {case['id']}"}
    write_suite(tmp_path, cases)
    answers = {name: f"{text}; {secret} of Acme Holdings" for name, text in right(cases).items()}
    write_script(tmp_path, tuned=answers, baseline=answers)
    return cases


def everything(root: Path) -> Iterator[tuple[str, str]]:
    for path in root.rglob("*"):
        if path.is_file() and path.suffix != ".pyc":
            yield str(path.relative_to(root)), path.read_text("utf-8", errors="replace")


def test_a_planted_key_and_a_client_name_are_in_no_file_of_a_run_and_in_no_output(tmp_path: Path) -> None:
    secret = SECRETS["api key"]
    planted(tmp_path, secret)
    own(tmp_path, "words = ['Acme Holdings']")
    done = pytest_in(tmp_path, "--baseline", "x", "--eval-runs", "runs", "--junitxml", "runs/junit.xml", "-rA")
    (run,) = [p for p in (tmp_path / "runs").iterdir() if p.is_dir()]
    assert check_seal(run) == []
    held = [name for name, text in everything(tmp_path / "runs") if secret[8:] in text or "Acme" in text]
    assert held == [] and secret[8:] not in done.stdout and "Acme" not in done.stdout
    counts = load_manifest(run).redacted
    assert counts["api key"] >= 16 and counts["word"] >= 16
    data = load_run(run)
    assert all(BLOCK * len(secret) in record.completion.text for record in data.records)
    for record in data.records:
        for score in record.scores.values():
            assert all(record.completion.text[s.start : s.end] == s.quote for s in score.spans)


def test_no_part_of_a_secret_is_in_the_evidence_of_a_scorer(tmp_path: Path) -> None:
    """It quotes each group of an account number as a figure of its own, and the last one with its unit."""
    test = FACTS.replace("max_tokens=8", "max_tokens=64")
    answer = "<think>.</think>Pay to DE89 3704 0044 0532 0130 7721 dollars, not to 5512."
    write_suite(tmp_path, rows(4), test, FACT_GATES)
    write_script(tmp_path, tuned={str(case["id"]): answer for case in rows(4)})
    own(tmp_path, "[patterns]\naccount = '[A-Z]{2}\\d{2}(?: \\d{4})+'\n")
    pytest_in(tmp_path, "--eval-runs", "runs")
    (run,) = [p for p in (tmp_path / "runs").iterdir() if p.is_dir()]
    texts = dict(everything(run))
    assert "5512" in texts["scores.jsonl"]
    assert [part for part in answer[23:52].split() if any(part in text for text in texts.values())] == []
    record = load_run(run).records[0]
    assert all(record.completion.answer[s.start : s.end] == s.quote for s in record.scores["facts"].spans)


def test_what_was_scored_is_the_answer_as_it_was(tmp_path: Path) -> None:
    """The same suite, with and without a word that hits: equal numbers."""
    write_suite(tmp_path, rows(8))
    write_script(tmp_path, tuned=right(rows(8)))
    found = []
    for words in ("[]", "['Contract']"):
        own(tmp_path, f"words = {words}")
        pytest_in(tmp_path, "--eval-runs", f"runs{len(found)}")
        (run,) = [p for p in (tmp_path / f"runs{len(found)}").iterdir() if p.is_dir()]
        found.append((run / "metrics.json").read_text())
        assert bool(load_manifest(run).redacted) == (words != "[]")
    assert found[0] == found[1]


def test_masked_labels_stay_apart_and_equal_ones_equal() -> None:
    redactor = Redactor({"word": "Acme|Beta"})
    record = {"expected": ["Acme", "rent"], "extracted": {"found": ["Acme", "Beta", "Acme Corp"]}, "text": "Acme"}
    found = mask(redactor, record)
    (acme, rent), (again, beta, corp) = found["expected"], found["extracted"]["found"]
    assert acme == again and rent == "rent" and len({acme, beta, corp}) == 3
    assert found["text"] == BLOCK * 4 and corp.startswith(f"{BLOCK * 4} Corp ")
    assert mask(Redactor({"word": "Acme|Beta"}), record)["expected"][0] != acme


def test_a_secret_among_the_labels_of_a_metric_is_refused(tmp_path: Path) -> None:
    write_suite(tmp_path, rows(4))
    write_script(tmp_path, tuned=right(rows(4)))
    own(tmp_path, "words = ['holdover']")
    assert "legal/mini: labels of " in pytest_in(tmp_path, "--eval-runs", "runs").stderr


@pytest.mark.parametrize("field", ["id", "cluster", "tags"])
def test_a_secret_in_a_name_is_refused_before_anything_is_asked(tmp_path: Path, field: str) -> None:
    cases = rows(4)
    cases[2][field] = {**cases[2]["tags"], "client": "Acme"} if field == "tags" else "Acme-1"  # type: ignore[dict-item]
    write_suite(tmp_path, cases)
    write_script(tmp_path, tuned=right(cases))
    own(tmp_path, "words = ['Acme']")
    done = pytest_in(tmp_path, "--eval-runs", "runs")
    said = done.stdout + done.stderr
    assert done.returncode not in (0, 1)
    assert "id, cluster or tags of case 3: holds what must be redacted (word)" in said
    assert not list((tmp_path / "runs").rglob("records.jsonl"))


def manifest(path: Path, **more: Any) -> Manifest:
    return Manifest(run_id=path.name, kind="train", status="running", started="", **more)


def test_a_secret_in_the_prompt_of_a_suite_is_counted_once(tmp_path: Path) -> None:
    (write_suite(tmp_path, rows(4)) / "prompt.jinja").write_text("Which clauses of Acme's? {{ document }}")
    write_script(tmp_path, tuned=right(rows(4)))
    own(tmp_path, "words = ['Acme']")
    pytest_in(tmp_path, "--eval-runs", "runs")
    (run,) = [p for p in (tmp_path / "runs").iterdir() if p.is_dir()]
    assert load_manifest(run).redacted == {"word": 1}


def test_a_secret_that_slipped_in_keeps_a_run_from_being_sealed(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "x")
    folder.write_manifest(manifest(folder.path))
    log = folder.path / "train_log.jsonl"
    log.write_text('{"step": 1}\n' + json.dumps({"note": SECRETS["github token"]}) + "\n")
    with pytest.raises(UserError) as caught:
        folder.seal()
    said = str(caught.value)
    assert said.startswith(f"{log}:2: holds what must be redacted (github token)") and D not in said
    assert check_seal(folder.path) == ["MANIFEST.sha256"]


def test_settings_and_logs_of_a_training_are_masked_and_counts_go_on_after_a_resume(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "x")
    folder.write_manifest(manifest(folder.path, training={"base": f"https://{SECRETS['password in a url']}@host/x"}))
    folder.write_manifest(load_manifest(folder.path))
    folder.append_log({"step": 1, "note": SECRETS["slack token"]})
    again = RunFolder(folder.path)
    again.write_manifest(manifest(again.path, training={"base": f"https://{SECRETS['password in a url']}@host/x"}))
    again.append_log({"step": 2, "note": SECRETS["slack token"]})
    again.write_manifest(load_manifest(folder.path))
    again.seal()
    assert load_manifest(folder.path).redacted == {"password in a url": 1, "slack token": 1}
    assert not [name for name, text in everything(tmp_path) if "hunter2" in text or "xoxb" in text]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("report.html", f"<p>{SECRETS['github token']}</p>"),
        ("report.html", "<p>postgres&#58;//robot&#58;hunter2pass&#64;host</p>"),
        ("report.md", f"* {SECRETS['aws key']}"),
        ("report.json", json.dumps({"a": [{"b": SECRETS["api key"]}]})),
        ("cases.csv", f"a,{SECRETS['slack token']}"),
    ],
)
def test_a_finished_file_that_holds_a_secret_is_deleted_and_named(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    (tmp_path / "clean.md").write_text("Bearer of certificates")
    with pytest.raises(UserError) as caught:
        redaction.redact_files([tmp_path / "clean.md", tmp_path / name])
    assert str(caught.value).startswith(f"{tmp_path / name}: holds what must be redacted")
    assert [path.name for path in tmp_path.iterdir()] == ["clean.md"]
    assert redaction.redact_files([tmp_path / "clean.md"]) == [tmp_path / "clean.md"]


def test_events_that_are_added_later_are_masked_and_counted(tmp_path: Path) -> None:
    score = Score(name="judge_x", value=None, reason=f"it quotes {SECRETS['hugging face token']}")
    event = ScoreEvent(suite="s", case_id="c", variant="tuned", repeat=1, kind="judge", score=score)
    path = score_events.append(tmp_path, "judge", [event], {"judge": f"http://{SECRETS['password in a url']}@host"})
    (batch,) = score_events.batches(tmp_path)
    assert batch.path == path and D not in path.read_text() and "hunter2" not in path.with_suffix(".json").read_text()
    assert batch.about["redacted"] == {"hugging face token": 1, "password in a url": 1}
