"""The suite public/contractnli: excerpts, split, rows and floors, on agreements written here and the real ones."""

import json
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from evalsuites.public.contractnli import build_training, cases, excerpts, floor, ndas
from evalsuites.public.contractnli.ndas import CONTRADICTION, ENTAILMENT, LABELS, NOT_MENTIONED, Agreement
from evalsuites.public.contractnli.test_contractnli import suite
from harness.errors import UserError
from harness.schema import Case
from harness.scoring.base import run
from harness.scoring.labels import NO_LABEL
from harness.suites.prompts import load_template, messages
from tests.evalsuites.judging import answered, levels, outcomes
from tests.evalsuites.separation import shared_runs
from tests.support.answers import answer

SUITE = Path(cases.__file__).parent
SENTENCES = (
    "1. Use",
    "The Recipient shall use the drawings for the study of the mill and for nothing else whatever.",
    "",
    "The Recipient may tell those of its staff who need to know of them for that study alone.",
    "2. Time",
    "Each duty set out above goes on for five years from the last day of the study of the mill.",
    "The parties choose the courts of the county in which the mill stands for any suit of theirs.",
)
STATEMENTS = {"nda-4": "Drawings shall be used for nothing else.", "nda-5": "Staff may see them.", "nda-19": "It ends."}


def agreement(sentences=SENTENCES, name="nda-1", **answers):
    labels = {"nda-4": (ENTAILMENT, (1,)), "nda-5": (ENTAILMENT, (3,)), "nda-19": (NOT_MENTIONED, ())} | answers
    made = {key: ndas.Answer(label=label, evidence=evidence) for key, (label, evidence) in labels.items()}
    return Agreement(name=name, sentences=tuple(sentences), answers=made)


def write_data(root, sentences=SENTENCES, choice=CONTRADICTION):
    """A data folder of one agreement."""
    text, spans = "", []
    for sentence in sentences:
        spans.append([len(text), len(text) + len(sentence)])
        text += sentence + " \n"
    found = {key: {"choice": choice, "spans": [5, 1]} for key in STATEMENTS}
    document = {"id": 7, "text": text, "spans": spans, "annotation_sets": [{"annotations": found}]}
    labels = {key: {"hypothesis": said} for key, said in STATEMENTS.items()}
    (root / "contractnli").mkdir()
    (root / "contractnli" / "dev.json").write_text(json.dumps({"documents": [document], "labels": labels}), "utf-8")
    return root


@pytest.fixture(scope="module")
def real(public_data):
    """Cases by split, from the real agreements."""
    if not (public_data / "contractnli").is_dir():
        pytest.skip("TUNEGATE_DATA holds no ContractNLI")
    return {name: cases.cases(name) for name in cases.SHARES}


@pytest.fixture(scope="module")
def source(public_data, real):
    """The data as it is written, read without the code under test."""
    return json.loads((public_data / "contractnli" / "dev.json").read_text("utf-8"))


# Reading


def test_an_agreement_is_read_as_sentences_and_answers(tmp_path):
    found = ndas.load(write_data(tmp_path) / "contractnli")
    (one,) = found.agreements
    assert (one.name, one.sentences, found.statements) == ("nda-7", SENTENCES, STATEMENTS)
    assert one.answers["nda-4"] == ndas.Answer(label=CONTRADICTION, evidence=(1, 5))


@pytest.mark.parametrize("broken", ["{", "[]", '{"labels": {}}', ""])
def test_a_broken_file_or_an_unknown_choice_is_one_readable_line(tmp_path, broken):
    folder = write_data(tmp_path, choice="Perhaps") / "contractnli"
    if broken:
        (folder / "dev.json").write_text(broken, "utf-8")
    with pytest.raises(UserError, match="not a file of ContractNLI" if broken else "unknown choice"):
        ndas.load(folder)


# Excerpts


def test_an_excerpt_numbers_its_sentences_and_says_which_decide():
    made = excerpts.around(agreement(), (5,))
    held = (3, 4, 5, 6)
    assert made.text.splitlines() == [f"[{number}] {SENTENCES[at]}" for number, at in enumerate(held, 1)]
    assert (made.evidence, made.positions) == ((3,), held), "three sentences to either side at most"


def test_sentences_that_do_not_follow_each_other_are_set_apart(monkeypatch):
    monkeypatch.setattr(excerpts, "ENOUGH", 1)
    made = excerpts.around(agreement(), (1, 5))
    assert made.text == f"[1] {SENTENCES[1]}\n...\n[2] {SENTENCES[5]}"
    assert made.evidence == (1, 2)
    assert "..." not in excerpts.around(agreement(), (1, 3)).text, "only an empty sentence lies between"


def test_evidence_that_is_too_long_too_scattered_or_numbered_in_the_text_gives_no_excerpt():
    long = "word " * (excerpts.MOST + 1)
    assert excerpts.around(agreement((long,)), (0,)) is None
    assert excerpts.around(agreement([SENTENCES[1]] * 9), range(5)) is None
    assert excerpts.around(agreement(("See note [12] of the annex.",)), (0,)) is None
    assert excerpts.around(agreement(("", "a")), (0,)) is None


def test_a_word_search_finds_the_sentence_that_shares_the_rare_words():
    said = excerpts.words_in(agreement())
    assert set(said) == {1, 3, 5, 6}, "headings are no hits"
    for statement, at in (("The drawings are for nothing else.", 1), ("Any suit goes to the county courts.", 6)):
        assert at in excerpts.nearest(said, statement, "x")


def test_how_many_sentences_are_searched_for_depends_on_name_and_statement_alone():
    said = excerpts.words_in(agreement())
    sizes = Counter(len(excerpts.nearest(said, "the mill", f"nda-{n}")) for n in range(300))
    assert set(sizes) == {1, 2, 3} and sizes[1] > sizes[2] > sizes[3]
    assert excerpts.nearest(said, "the mill", "a") == excerpts.nearest(said, "the mill", "a")


# Cases, balance, split


def test_a_case_expects_its_label_and_names_its_evidence():
    made = {case.tags["statement"]: case for case in cases.cases_of(agreement(), STATEMENTS)}
    assert list(made) == ["nda-4", "nda-5", "nda-19"]
    assert (made["nda-4"].expected, made["nda-4"].tags["evidence"]) == ([ENTAILMENT], "2")
    assert made["nda-19"].expected == [NOT_MENTIONED] and "evidence" not in made["nda-19"].tags
    assert made["nda-5"].input["statement"] == "Staff may see them."


def case_of(name, statement, label):
    tags = {"statement": statement, "label": label}
    return Case(id=f"{name}-{statement}", input={"document": "x"}, expected=[label], cluster=name, tags=tags)


def test_the_commonest_label_of_a_statement_is_cut_to_the_second_and_three_are_always_kept():
    many = [case_of(f"a{i}", "nda-1", ENTAILMENT) for i in range(20)]
    few = [case_of(f"b{i}", "nda-1", NOT_MENTIONED) for i in range(7)]
    alone = [case_of(f"a{i}", "nda-2", ENTAILMENT) for i in range(20)]
    kept = cases.balanced([*many, *few, *alone])
    assert Counter((c.tags["statement"], c.expected[0]) for c in kept) == {
        ("nda-1", ENTAILMENT): 7,
        ("nda-1", NOT_MENTIONED): 7,
        ("nda-2", ENTAILMENT): 3,
    }
    first = {c.cluster for c in kept if c.tags["statement"] == "nda-1"}
    assert not first & {c.cluster for c in kept if c.tags["statement"] == "nda-2"}, "those asked least come first"


def distinct(seed, words=300):
    """Text of no meaning; two seeds share no run of five words."""
    return " ".join(f"{chr(97 + seed % 26)}{chr(97 + i % 26)}{chr(97 + i // 26)}" for i in range(words))


def test_near_duplicates_are_one_group_and_stay_on_one_side():
    base, other = distinct(0), distinct(1)
    texts = {"a": base, "b": base.upper(), "c": f"{base[: len(base) * 2 // 3]} {distinct(2, 90)}", "d": other}
    assert cases.groups(texts) == [["a", "b", "c"], ["d"]]
    many = [agreement([distinct(n)], f"nda-{n}") for n in range(24)]
    sides = cases.split_of([*many, agreement([distinct(3)], "nda-99")])
    assert sides["nda-3"] == sides["nda-99"]
    assert Counter(sides[a.name] for a in many) == {"test": 13, "validation": 3, "train": 8}


def test_wording_that_the_test_has_is_kept_out_of_training(monkeypatch):
    monkeypatch.setattr(cases, "split_of", lambda found: {"nda-1": "test", "nda-2": "train", "nda-3": "train"})
    monkeypatch.setattr(cases, "balanced", lambda found: list(found))
    other = [f"{n} {distinct(n, 40)}" for n in range(7)]
    data = ndas.Data(
        agreements=[agreement(), agreement(name="nda-2"), agreement(other, "nda-3")], statements=STATEMENTS
    )
    assert {case.cluster for case in cases.build(data, "train")} == {"nda-3"}


@pytest.mark.parametrize(
    ("text", "predicted"),
    [
        ("Contradiction (sentence 4)", CONTRADICTION),
        ("Contradiction: sentence [4] says so.", CONTRADICTION),
        ("Entailment – [2], [3]", ENTAILMENT),
        ("Entailed [2] [3]", ENTAILMENT),
        ("NotMentioned: it is neither entailed nor contradicted.", NOT_MENTIONED),
        ("Entailment or Contradiction [4]", NO_LABEL),
        ("Not a contradiction; Entailment", NO_LABEL),
        ("Entailment, Contradiction", NO_LABEL),
    ],
)
def test_a_mark_may_lead_from_the_label_to_its_evidence(text, predicted):
    case = Case(id="x", input={"document": "[1] Rent is due."}, expected=[ENTAILMENT], cluster="c")
    assert run(suite.scorers, case, answer(text)).labels.predicted == [predicted]


# Floor and rows


@pytest.mark.parametrize(
    ("statement", "text", "says"),
    [
        ("nda-11", "[1] No one shall reverse engineer it.\n[2] Rent is due.", "Entailment [1]"),
        ("nda-11", "[1] Rent is due.", NOT_MENTIONED),
        ("nda-2", "[1] It means all business plans.", "Contradiction [1]"),
        ("nda-99", "[1] Rent is due.", NOT_MENTIONED),
    ],
)
def test_the_floor_answers_in_the_format_of_the_prompt(statement, text, says):
    case = Case(id="x", input={"document": text}, expected=[], cluster="c", tags={"statement": statement})
    assert floor.keyword_floor(case) == says


def test_rare_labels_of_a_statement_are_repeated_in_training_rows_alone(monkeypatch):
    made = [case_of(f"a{i}", "nda-1", ENTAILMENT) for i in range(10)] + [case_of("b", "nda-1", CONTRADICTION)]
    monkeypatch.setattr(build_training, "cases", lambda split: list(made))
    drawn = {split: build_training.training_cases(split, 0) for split in ("train", "validation")}
    assert Counter(c.expected[0] for c in drawn["train"]) == {ENTAILMENT: 10, CONTRADICTION: build_training.REPEATS}
    assert sorted(c.id for c in drawn["validation"]) == sorted(c.id for c in made)


# The real agreements


def test_there_are_enough_cases_and_agreements_and_no_answer_without_reading_is_right_half_of_the_time(real):
    asked = real["test"]
    labels = Counter(case.expected[0] for case in asked)
    assert len(asked) >= 150 and len({c.cluster for c in asked}) >= 30
    assert all(labels[label] >= 30 for label in LABELS)
    assert max(labels.values()) / len(asked) < 0.5
    by_statement = defaultdict(Counter)
    for case in asked:
        by_statement[case.tags["statement"]][case.expected[0]] += 1
    assert len(by_statement) == 17
    assert sum(max(found.values()) for found in by_statement.values()) / len(asked) < 0.5


def test_prompts_are_short_and_excerpts_within_their_limits(real):
    template = load_template(SUITE / "prompt.jinja")
    for case in real["test"]:
        lines = [line for line in case.document.splitlines() if line != excerpts.GAP]
        assert len(lines) <= excerpts.MOST_SENTENCES
        assert sum(len(line.split()) - 1 for line in lines) <= excerpts.MOST
        assert sum(len(m["content"].split()) for m in messages(template, case)) < 350


def test_gold_and_evidence_agree_with_the_labels_as_they_are_written(real, source):
    documents = {f"nda-{d['id']}": d for d in source["documents"]}
    wrong = []
    for case in real["test"]:
        document = documents[case.cluster]
        answer = document["annotation_sets"][0]["annotations"][case.tags["statement"]]
        marked = {" ".join(document["text"][slice(*document["spans"][at])].split()) for at in answer["spans"]}
        cited = set(case.tags.get("evidence", "").split())
        shown = {m[1]: m[2] for m in re.finditer(r"^\[(\d+)\] (.*)$", case.document, re.M)}
        agrees = case.expected == [answer["choice"]] and {shown[n] for n in cited} == marked - {""}
        if not agrees or case.input["statement"] != source["labels"][case.tags["statement"]]["hypothesis"]:
            wrong.append(case.id)
    assert wrong == []


def test_excerpts_with_and_without_an_answer_look_alike(real):
    """No count of sentences, words or gaps tells them apart: the best threshold on any is right under 65%."""
    measures = {
        "sentences": lambda text: text.count("\n[") + 1,
        "words": lambda text: len(text.split()),
        "gaps": lambda text: text.count(excerpts.GAP),
        "colons": lambda text: text.count(":") + text.count(";"),
    }
    asked = [case for case in real["test"] if case.expected != [CONTRADICTION]]
    for name, measure in measures.items():
        found = [(measure(case.document), case.expected == [ENTAILMENT]) for case in asked]
        cuts = {value for value, _ in found}
        best = max(
            max(right, 1 - right) for cut in cuts for right in [sum((v < cut) == e for v, e in found) / len(found)]
        )
        assert best < 0.65, name


def test_no_excerpt_of_training_has_half_of_its_wording_in_the_test(real):
    asked = set().union(*(cases.runs(c.document, 8) for c in real["test"]))
    trained = [cases.runs(c.document, 8) for name in ("train", "validation") for c in real[name]]
    assert len(trained) > 300
    assert [found for found in trained if len(found & asked) >= 0.5 * len(found)] == []


def test_rows_ask_what_the_suite_asks_and_answer_what_scores(real, tmp_path, monkeypatch):
    written = build_training.write(tmp_path, 0)
    first = (tmp_path / "train.jsonl").read_bytes()
    assert build_training.write(tmp_path, 0) == written and (tmp_path / "train.jsonl").read_bytes() == first
    assert written["train"] >= 400 and written["validation"] >= 80
    template = load_template(SUITE / "prompt.jinja")
    said = {json.dumps(messages(template, c)): build_training.answer(c) for c in real["train"]}
    for line in first.splitlines():
        *prompt, last = json.loads(line)["messages"]
        assert said[json.dumps(prompt)] == last["content"]
    counted = Counter(json.loads(line)["messages"][-1]["content"].split()[0] for line in first.splitlines())
    assert min(counted.values()) >= 50


@pytest.fixture(scope="module")
def judged(real):
    """Levels and outcomes of the absolute gates by way of answering."""
    if not any(real.values()):
        pytest.skip("no case")
    train = defaultdict(Counter)
    for case in real["train"]:
        train[case.tags["statement"]][case.expected[0]] += 1
    models = {
        "right": build_training.answer,
        "floor": floor.keyword_floor,
        "majority by statement": lambda case: train[case.tags["statement"]].most_common(1)[0][0],
        **{label: lambda case, label=label: label for label in LABELS},
    }
    made = {}
    for name, answering in models.items():
        records = answered(suite, answering)
        made[name] = (levels(suite, records), outcomes(suite, records))
    return made


def test_answers_pass_the_absolute_gates_only_where_they_are_right(judged):
    for name, (_, found) in judged.items():
        assert (set(found.values()) == {"pass"}) if name == "right" else ("fail" in found.values()), name
    best = judged["right"][0]
    assert {metric: level.value for metric, level in best.items()} == dict.fromkeys(best, 1.0)


def test_the_readme_states_the_splits_as_they_are(real):
    stated = (SUITE / "README.md").read_text("utf-8")
    found = [real[name] for name in ("train", "validation", "test")]
    labels = [Counter(case.expected[0] for case in part) for part in found]
    rows = {
        "agreements, near-duplicates on one side": [len({case.cluster for case in part}) for part in found],
        "cases": [len(part) for part in found],
        "Entailment / Contradiction / NotMentioned": [" / ".join(str(c[label]) for label in LABELS) for c in labels],
    }
    for name, figures in rows.items():
        assert f"| {name} | {' | '.join(map(str, figures))} |" in stated


def test_the_readme_states_the_floors_as_measured(judged):
    stated = (SUITE / "README.md").read_text("utf-8")
    rows = {"floor": "keyword floor", "majority by statement": "majority by statement", ENTAILMENT: "always Entailment"}
    metrics = ("accuracy", "balanced_accuracy", "contradiction_recall", "evidence_recall")
    for name, shown in rows.items():
        figures = " | ".join(f"{judged[name][0][metric].value:.3f}" for metric in metrics)
        assert f"| {shown} | {figures} |" in stated


def test_training_and_suite_share_little_wording_beyond_the_statements(real):
    """Boilerplate is the same in many agreements: of the test's runs of eight words training holds under 5%."""
    shared = shared_runs(real["test"], real["train"], " ".join({c.input["statement"] for c in real["test"]}))
    runs = set().union(*(cases.runs(c.document, 8) for c in real["test"]))
    assert len(shared) < 0.05 * len(runs)
