"""Clause lists: what reads as which name, what counts as what, and why neither garbage nor hedging pays."""

import time

import pytest

from harness.errors import UserError
from harness.schema import Case, Score
from harness.scoring.base import run
from harness.scoring.legal import clauses
from harness.stats.estimates import estimate
from harness.stats.observations import observations
from tests.support.answers import answer, pooled, scored_record

VOCABULARY = ["Governing Law", "Anti-Assignment", "Default, Notice and Cure", "Insurance", "Attorney's Fees"]


def scored(text: str, gold: list[str], finish_reason: str = "stop") -> Score:
    case = Case(id="x", input={"clause_types": "; ".join(VOCABULARY)}, expected=gold, cluster="c")
    return run([clauses.found], case, answer(text, finish_reason)).clauses


BOTH = ["Governing Law", "Insurance"]
LEASE = ["Holdover", "Insurance", "Repair"]
FORMS = {"insurance escrow": "Escrow", "no assignment or subletting": "Anti-Assignment"}
FORMS |= {"prepayment penalty": "Prepayment", "holding over": "Holdover"}


def read_as(text: str) -> list[str]:
    """What an answer names of a few clauses."""
    scorer = clauses.among([*LEASE, "Escrow", "Anti-Assignment", "Prepayment", "Right of Entry", "Late Charge"], FORMS)
    return sorted(answered_by(scorer, text, LEASE).extracted["predicted"])


@pytest.mark.parametrize(
    "text",
    [
        "insurance,\nholdover,\nrepair",
        "insurance, holdover and\nrepair",
        "holdover, repair, insurance,",
        "insurance | holdover | repair",
        "1. holdover 2. insurance 3. repair",
        "(a) holdover (b) insurance (c) repair",
        "repair (2) insurance (3) holdover (5)",
        "repair/holdover/insurance",
        "repair. holdover. insurance",
        "repair along with holdover, together with insurance",
        "i. repair\nii. insurance\niii. holdover",
        "Yes, repair; holdover; insurance",
        "Sure, repair, holdover and insurance.",
        "(repair; holdover; insurance)",
        "repair - holdover - insurance",
        "repair; holdover; insurance<|im_end|>\n<|im_start|>user\nescrow",
        "<|im_start|>assistant\nrepair; holdover; insurance",
    ],
)
def test_no_name_of_a_plain_list_is_dropped(text):
    assert read_as(text) == LEASE


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("insurance and escrow", ["Escrow", "Insurance"]),
        ("escrow of insurance", ["Escrow"]),
        ("insurance: repair of the roof after a fire", ["Insurance"]),
        ("insurance ~~repair~~", ["Insurance"]),
        ("no holdover, repair or insurance", []),
        ("The lease lacks holdover and repair.", []),
        ("This part only mentions repair, insurance and holdover.", ["(unreadable)"]),
        ("None. The part mentions holdover and repair.", []),
        ("The part contains repair, not insurance, holdover or escrow", ["Repair"]),
        ("not repair, an insurance clause", ["Insurance"]),
        ("no repair, but insurance", ["Insurance"]),
        ("No. 3 repair, No. 4 insurance", ["Insurance", "Repair"]),
        ("Neither holdover nor repair is present.", ["(unreadable)"]),
        ("It has insurance. Neither holdover nor repair is present.", ["Insurance"]),
        ("Anti-assignment - no assignment or subletting without consent", ["Anti-Assignment"]),
        ("prepayment - no prepayment penalty", ["Prepayment"]),
        ("Prepayment: no prepayment penalty", ["Prepayment"]),
        ("insurance (no repair)", ["Insurance"]),
        ("insurance - no repair clause", ["Insurance"]),
        ("insurance, no repair", ["Insurance"]),
        ("repair (no), holdover (yes)", ["Holdover"]),
        ("repair - no, holdover - yes", ["Holdover"]),
        ("Insurance: no insurance clause", []),
        ("Insurance - no insurance", []),
        ("Holdover (no holding over)", []),
        ("Yes, no insurance", []),
        ("right of entry without notice; repair", ["Repair", "Right of Entry"]),
        ("prepayment without penalty; late charge", ["Late Charge", "Prepayment"]),
        ("late charge if not paid in ten days; holdover", ["Holdover", "Late Charge"]),
        ("late charge without notice is absent", ["(unreadable)"]),
    ],
)
def test_a_denial_holds_for_the_names_after_it_and_no_longer(text, named):
    assert read_as(text) == named


@pytest.mark.parametrize(
    "name",
    [
        "waiver of jury trial",
        "exclusive use",
        "exclusive license",
        "excluding negligence",
        "no warranty",
        "additional rent",
        "further assurances",
        "true lease",
        "binding effect",
        "agreement",
        "term",
        "right",
        "no-solicit of customers",
        "covenant not to sue",
        "unlimited/all-you-can-eat-license",
    ],
)
@pytest.mark.parametrize("text", ["repair; {}\nholdover", "- repair\n- {}\n- holdover", "repair, {}; holdover"])
def test_a_short_name_outside_the_list_counts_whatever_words_it_has(text, name):
    assert read_as(text.format(name)) == ["Holdover", "Repair", name]


@pytest.mark.parametrize(
    "remark",
    [
        "hope this helps",
        "Let me know if you need more",
        "Feel free to ask",
        "No further questions",
        "no others",
        "nothing else",
        "none of the rest",
        "no other clauses",
        "no more matches",
        "other than that, none of the others",
        "no holdover",
        "No pets clause",
        "that's all",
        "struck",
        "Paragraph 2",
    ],
)
@pytest.mark.parametrize("text", ["repair; {}", "repair\n{}", "- repair\n- {}"])
def test_a_remark_in_a_list_is_no_name(text, remark):
    assert read_as(text.format(remark)) == ["Repair"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Rejected:\n- holdover\n- repair", []),
        ("Ruled out: holdover; repair", []),
        ("Not in this part: repair", []),
        ("No: holdover; repair\nYes: insurance", ["Insurance"]),
        ("**Yes**\n- insurance\n\n**No**\n- repair", ["Insurance"]),
        ("insurance, ~~repair~~, holdover", ["Holdover", "Insurance"]),
        ("insurance: ×\nrepair: ✓", ["Repair"]),
        ("Removed: holdover\nKept: repair", ["Repair"]),
        ("Clauses not omitted: repair", ["Repair"]),
        ("Repair: yes\nMentioned: insurance; holdover", ["Repair"]),
        ("The lease has everything except insurance.", ["(unreadable)"]),
        ("All of them except insurance: holdover (3); repair (8).", ["Holdover", "Repair"]),
        ("Everything but insurance: repair", ["Repair"]),
        ("All of them: insurance (3); repair (8).", ["Insurance", "Repair"]),
        ("insurance (5) - although struck, it still governs", ["Insurance"]),
        ("insurance (5) - struck, so it no longer governs", []),
        ("insurance (5) - it was struck, although the heading still stands", []),
        ("repair; holdover. They do not count.", []),
        ("Superseded: holdover; repair", []),
        ("Not found:\n- holdover\n\nrepair", ["Repair"]),
        ("Not found:\n\nholdover\n\nrepair", []),
        ("Not found:\n\n- holdover\n\n- repair", []),
        ("repair (omitted); insurance: negated; holdover (not struck)", ["Holdover"]),
        ("- Repair. It is not struck.", ["Repair"]),
        ("- Repair\n- Holdover. They are only mentioned.", ["Repair"]),
        ("repair; holdover. Both are only mentioned.", []),
        ("repair; holdover. All of the other headings are struck.", ["Holdover", "Repair"]),
        ("repair; holdover (both struck)", []),
        ("repair, holdover - all of them are absent", []),
        ("repair\ninsurance, holdover: both missing", ["Repair"]),
        ("It has a repair clause too.", ["Repair"]),
        ("It would have a repair clause if it were not struck.", ["(unreadable)"]),
        ("There is nothing on repair or holdover.", ["(unreadable)"]),
        ("Nothing but repair", ["Repair"]),
        ("(none)", []),
        ("None at all.", []),
        ("None whatsoever", []),
        ("**No assignment or subletting** (2)", ["Anti-Assignment"]),
        ("There is no assignment or subletting here.", ["(unreadable)"]),
        ("No assignment or subletting clause; repair", ["Repair"]),
        ("repair; holdover. Not granted: insurance", ["Holdover", "Repair"]),
        ("**Granted:**\n- repair\n\n**Not granted:**\n- insurance", ["Repair"]),
        ("Not triggered: insurance\nTriggered: repair, holdover", ["Holdover", "Repair"]),
        ("Not granted: repair, holdover. Granted: insurance", ["Insurance"]),
        ("**Not granted:**\n- repair\n\n**Granted:**\n- insurance", ["Insurance"]),
        ("Not surprisingly: repair", ["Repair"]),
    ],
)
def test_headings_and_remarks_say_which_names_count(text, named):
    assert read_as(text) == named


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('[\n  "holdover",\n  "repair"\n]', ["Holdover", "Repair"]),
        ('{"found": ["repair"], "not_found": ["insurance"], "struck": ["holdover"]}', ["Repair"]),
        ('{"absent": [\n "repair",\n "insurance"\n],\n"present": [\n "holdover"\n]}', ["Holdover"]),
        ('{"repair": {"present": true}, "holdover": {"present": false}, "insurance": null}', ["Repair"]),
        ('{"repair": "paragraph 2", "holdover": "none", "insurance": "only mentioned", "escrow": []}', ["Repair"]),
        ('[{"clause": "repair", "paragraph": 0}, {"clause": "holdover", "applies": "no"}]', ["Repair"]),
        ('[{"clause": "repair", "missing": true}, {"name": "holdover", "missing": false}]', ["Holdover"]),
        ('{"repair": 0, "insurance": false}', []),
        ('{"clauses": null}', []),
        ('{"reason": "holdover", "answer": "repair; pets"}', ["Repair", "pets"]),
        ('Clauses that are not present: ["repair", "holdover"]', []),
        ('Here it is:\n```json\n{"clauses": ["repair"]}\n```\nInsurance is struck.', ["Repair"]),
        ('{"answer": "repair", "absent": "none"}', ["Repair"]),
        ('{"granted": ["repair"], "not_granted": ["insurance"]}', ["Repair"]),
        ('{"granted": ["insurance"], "not_granted": ["repair"]}', ["Insurance"]),
        ('{"lease": {"clauses": [{"type": "repair", "quote": "holdover"}]}}', ["Repair"]),
    ],
)
def test_json_names_what_its_keys_and_values_say_is_there(text, named):
    assert read_as(text) == named


@pytest.mark.parametrize(
    "unit", ['{"a":', '["a", ', '{"a": 1}\n', "insurance ", "[1", "insurance (2) ", "| insurance "]
)
def test_a_long_answer_is_read_in_time_that_grows_with_its_length(unit):
    start = time.process_time()
    read_as(unit * (20_000 // len(unit)))
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    "text",
    [
        "Governing Law; Insurance",
        "governing law, INSURANCE",
        "Governing Law\nInsurance",
        "Governing Law\r\nInsurance\r\n",
        "- Governing Law\n- Insurance",
        "* **Governing Law**\n* **Insurance**",
        "1. Governing Law\n2. Insurance.",
        "1) Governing Law\n2) Insurance",
        "a) Governing Law\nb) Insurance",
        "• Governing Law • Insurance",
        "The clauses present are: governing law and insurance.",
        "Answer: Governing Law; Insurance",
        '["Governing Law", "Insurance"]',
        "Governing Law clause; Insurance provision",
        "Governing Law (Section 3); Insurance (Section 4)",
        "Governing Law: the laws of Georgia apply\nInsurance: fire cover is kept",
        "Governing Law: yes\nAnti-Assignment: no\nInsurance: yes",
        "Governing\u00a0Law; Insur\u00adance",
        "Insurance; Governing Law; Insurance",
        "Governing Law; Insurance<|im_end|>",
        "Governing Law (3), Insurance (4)",
        "Governing Law (3), and Insurance (4, 6)",
        "Governing Law and Insurance (4)",
        "Governing Law clause: the laws of Georgia apply.\nInsurance clause: fire cover is kept.",
        "Governing Law (clause 3): the laws of Georgia apply\nInsurance (clause 4): fire cover is kept",
        "Governing Law: yes, Anti-Assignment: no, Insurance: yes",
        '```json\n["Governing Law", "Insurance"]\n```',
        '```json\n{"Governing Law": [3], "Insurance": [4], "Anti-Assignment": false}\n```',
        "The Governing Law clause: Georgia\nThe Insurance clause: fire cover",
        "Governing Law [3]; Insurance [4, 6]",
        "[3] Governing Law; [4] Insurance",
        "| # | Clause |\n|---|---|\n| 1 | Governing Law |\n| 2 | Insurance |",
        "| Clause | Present |\n|:--|:-:|\n| **Governing Law** | yes |\n| Anti-Assignment | no |\n| Insurance | yes |",
        "- [x] Governing Law\n- [ ] Anti-Assignment\n- [x] Insurance",
        "Governing Law\n\u274c Anti-Assignment\nInsurance",
        "**Present:**\n- Governing Law\n- Insurance\n\n**Not present:**\n- Anti-Assignment\n- Attorney's Fees",
        "Governing Law; Insurance. The other clauses are not present.",
        "I apologize. The excerpt contains: Governing Law; Insurance",
        "Clauses not present: Anti-Assignment\nClauses present: Governing Law; Insurance",
        '```json\n{\n  "clauses": [\n    "Governing Law",\n    "Insurance"\n  ]\n}\n```',
    ],
)
def test_a_list_reads_in_every_usual_form(text):
    score = scored(text, BOTH)
    assert sorted(score.extracted["predicted"]) == BOTH
    assert (score.value, score.parsed) == (1.0, 1)


@pytest.mark.parametrize(
    "text",
    [
        "Certainly! This part contains a **governing law** clause (Section 3) and an *insurance* covenant (Section 4).",
        "The clauses are:\n\n1. Governing law: Georgia\n2. Insurance (fire, $1,000.00)\n\nI left out what is reserved.",
        "Insurance and governing law.\n\nReason: Section 5 only mentions an attorney's fees clause.",
        "Insurance and governing law. Section 5 speaks of an assignment, but it binds the other party.",
        "It has a governing law clause and it also has insurance, but no anti-assignment clause.",
        "The governing law and the insurance clauses are binding; the fees are waived.",
        "- Section 3: insuring the house (insurance)\n- Section 4: governing law\n- Section 5: none (reserved)",
        "- **Governing law**: Georgia.\n- **Insurance**: fire.\n- **Anti-assignment**: of seller. It does not count.",
        'Here it is:\n\n{"answer": "insurance; governing law", "reason": "The anti-assignment heading is reserved."}',
        '[{"clause": "insurance", "present": true}, {"clause": "anti-assignment", "present": false}, "governing law"]',
        "There are two. One is an insurance clause, the other a governing law clause. Hope it helps!",
        "Law governing; insurances",
    ],
)
def test_names_are_found_in_what_an_assistant_writes_around_them(text):
    score = scored(text, BOTH)
    assert (sorted(score.extracted["predicted"]), score.value) == (BOTH, 1.0)


@pytest.mark.parametrize(
    ("text", "predicted"),
    [
        ("The excerpt contains insurance, governing law and an anti-assignment clause.", [*BOTH, "Anti-Assignment"]),
        ("Governing law. There is also a duty of insurance.", BOTH),
        ("It contains a governing law clause. Insurance is present, too.", BOTH),
        ("The excerpt contains no insurance, and governing law is struck.", ["(unreadable)"]),
        ("The excerpt may contain an insurance clause.", ["(unreadable)"]),
        ("All of the listed clauses are present.", ["(unreadable)"]),
        ("The tenant pays insurance premiums, and the law of Georgia governs.", ["(unreadable)"]),
        ("- Insurance\n- Pets", ["Insurance", "pets"]),
        ("Insurance, parking, and pets", ["Insurance", "parking", "pets"]),
        ("The clauses are insurance; quiet enjoyment", ["Insurance", "quiet enjoyment"]),
        ("Title insurance; insurance premiums", ["title insurance", "insurance premiums"]),
        ("Insurance; governing law (all may apply)", BOTH),
        ("Insurance. Correction: the insurance is struck, it is governing law.", ["Insurance"]),
        ("Insurance; governing law (it is waived)", ["Insurance"]),
        ("Insurance. No governing law clause (it is waived).", ["Insurance"]),
        ("Insurance. Governing law: it does not count.", ["Insurance"]),
        ("Governing law; insurance (they are waived)", []),
        ("Governing law; insurance. It is waived. Both are struck.", []),
    ],
)
def test_a_claim_stands_and_what_is_no_claim_names_nothing(text, predicted):
    assert sorted(scored(text, []).extracted["predicted"]) == sorted(predicted)


@pytest.mark.parametrize(
    ("text", "predicted"),
    [
        ("Neither insurance nor repair is contained in the paragraph.", []),
        ("The paragraph contains neither an insurance nor a repair clause.", []),
        ("It is about rent. It contains no insurance clause and no repair clause.", []),
        ("There is no insurance clause. There is no repair clause.", []),
        ("Insurance and repair are not addressed here.", []),
        ("The lease says nothing about insurance or repair.", []),
        ("This text does not contain either of those clauses.", []),
        ("The text has none of the two clauses.", []),
        ("There is no insurance clause.", ["(unreadable)"]),
        ("There may be neither an insurance nor a repair clause.", ["(unreadable)"]),
        ("Insurance is in the text, and repair is not.", ["(unreadable)"]),
        ("The tenant need not take insurance or make any repair.", ["(unreadable)"]),
        ("There is no insurance clause, but there is a repair clause.", ["Repair"]),
        ("There is no insurance clause, only a repair clause.", ["Repair"]),
        ("It is an insurance clause, as each party must be covered.", ["Insurance"]),
        ("It is not an insurance clause.", ["(unreadable)"]),
        ("Insurance and repair are in the text.", ["Insurance", "Repair"]),
    ],
)
def test_a_sentence_that_denies_all_that_is_asked_about_is_a_none(text, predicted):
    case = Case(id="x", input={"clause_types": "insurance; repair"}, expected=[], cluster="c")
    score = clauses.among(["Insurance", "Repair", "Holdover"])(case, answer(text))
    assert sorted(score.extracted["predicted"]) == predicted


@pytest.mark.parametrize("text", ["Default, Notice and Cure; Insurance", "Insurance, default, notice and cure"])
def test_a_name_may_hold_commas_and_an_and(text):
    assert scored(text, ["Default, Notice and Cure", "Insurance"]).value == 1.0


@pytest.mark.parametrize("text", ["Insurance (7), Governing Law (9)", "Insurance: yes, Governing Law: yes"])
def test_every_name_of_a_line_counts_also_after_a_description(text):
    assert scored(text, ["Insurance"]).invented == ["Governing Law"]


@pytest.mark.parametrize(
    "tail",
    [": not less than $1 million", ": no policy may lapse", ": no-fault cover", " (No. 7)", " - none of it may lapse"],
)
def test_a_description_that_begins_with_no_denies_nothing(tail):
    assert scored(f"Insurance{tail}", ["Insurance"]).value == 1.0


@pytest.mark.parametrize(
    "tail",
    [
        ": No, only mentioned.",
        ": No (struck).",
        ": none mentioned.",
        " (not present)",
        " - no",
        ": does not apply",
        ": No such clause",
        ": only mentioned, in paragraph 3",
        " (struck by the rider)",
        ": ❌",
        ": There is none.",
        " (waived)",
    ],
)
def test_a_clause_may_be_denied_in_every_usual_form(tail):
    score = scored(f"Governing Law: yes\nInsurance{tail}", BOTH)
    assert (score.extracted["predicted"], score.missing) == (["Governing Law"], ["Insurance"])


@pytest.mark.parametrize(
    "text",
    [
        "\u274c Insurance",
        "- [ ] Insurance",
        "1. ~~Insurance~~",
        "not Insurance",
        "Absent: Insurance",
        "| Clause | Present |\n|---|---|\n| Insurance | no |",
        "The excerpt does not contain the following clauses: Insurance; Governing Law",
    ],
)
def test_a_clause_may_be_denied_before_its_name(text):
    score = scored(text, ["Insurance"])
    assert (score.extracted["predicted"], score.missing) == ([], ["Insurance"])


@pytest.mark.parametrize("text", ["No documents are attached.", "No documents are attached to this letter."])
def test_no_documents_are_a_none(text):
    score = answered_by(clauses.among(["police report", "photos"]), text, [])
    assert (score.extracted["predicted"], score.counts.get("parsed")) == ([], 1)


def test_a_name_is_found_in_either_spelling():
    for text, named in (("Instalment sale; photos", ["Installment Sale"]), ("Install sale; photos", [])):
        score = answered_by(clauses.among(["Installment Sale"]), text, ["Installment Sale"])
        assert [name for name in score.extracted["predicted"] if name == "Installment Sale"] == named


def test_a_row_of_a_table_may_name_several_clauses():
    assert scored("| Insurance | Governing Law |", ["Insurance"]).invented == ["Governing Law"]


@pytest.mark.parametrize(
    "text", ["None of these except Insurance", "Governing Law; none of the others except Insurance"]
)
@pytest.mark.parametrize("gold", [[], ["Governing Law"]])
def test_an_exception_from_none_is_no_none(text, gold):
    assert (scored(text, gold).value, scored(text, gold).abstained) == (0.0, 0)


@pytest.mark.parametrize(
    "text", ["Attorney’s fees", "attorneys' fees", "ATTORNEY'S FEES", "anti assignment", "Anti\u2011Assignment"]
)
def test_apostrophes_dashes_and_case_do_not_matter(text):
    gold = ["Anti-Assignment"] if "nti" in text else ["Attorney's Fees"]
    assert scored(text, gold).value == 1.0


@pytest.mark.parametrize(
    "text",
    [
        "none",
        "None.",
        "NONE",
        "No such clause",
        "no such clauses",
        "There are no such clauses in this excerpt.",
        "None of the listed clauses are present.",
        "Answer: none",
        "N/A",
        "None. The excerpt only names the parties.",
        "None\n\nExplanation: the insurance is only mentioned.",
        "The excerpt contains none of these clauses.",
        "[none]",
        "Governing Law: no\nInsurance: not present",
        "The excerpt does not contain any of these clauses.",
        "It contains none of these clauses.",
        "Based on the excerpt, none of these clauses is present.",
        "No clauses from the list are present.",
        "None (the insurance is only mentioned)",
        "Sorry, none.",
        "I read both paragraphs and found no clauses from your list.",
        "The insurance is struck, so the answer is none.",
        "1. A reserved heading (Insurance).\n2. Only defines words.\n\nThe answer is **none**.",
        "None: the insurance in it is the landlord's own.",
        "[]",
        '```json\n{"clauses": []}\n```',
    ],
)
def test_an_explicit_none_is_an_answer(text):
    assert scored(text, []).value == 1.0
    score = scored(text, ["Insurance"])
    assert (score.parsed, score.abstained, score.fp, score.fn) == (1, 1, 0, 1)


@pytest.mark.parametrize(
    "text",
    [
        "None. However, the excerpt does contain an insurance clause.",
        "None of the listed clauses is present, although the excerpt does contain an insurance clause.",
        "None\n\nThere is a default, notice and cure provision.",
    ],
)
def test_a_none_before_a_clause_that_is_said_to_be_there_is_a_false_alarm(text):
    score = scored(text, [])
    assert (score.value, score.parsed, score.false_alarm) == (0.0, 1, 1)
    assert scored(text, ["Insurance"]).value < 1.0


@pytest.mark.parametrize(
    "text",
    [
        "Clauses that do not count: Insurance",
        "The following clauses are only mentioned: Insurance",
        "Clauses possibly present: Insurance",
        "Insurance: unclear",
        "Insurance (maybe)",
        "Insurance - not sure",
    ],
)
def test_a_name_under_a_denial_or_doubt_is_no_claim_in_a_heading_and_beside_it(text):
    score = scored(text, ["Insurance"])
    assert (score.value, score.tp) == (0.0, 0)


@pytest.mark.parametrize("text", ["Insurance: unclear", "Insurance (maybe)", "Clauses possibly present: Insurance"])
def test_a_doubt_is_no_none(text):
    assert (scored(text, []).value, scored(text, []).parsed) == (0.0, 0)


def test_true_and_false_positives_and_misses_are_counted():
    score = scored("Governing Law; Insurance; Indemnity", ["Governing Law", "Anti-Assignment"])
    assert score.extracted == {
        "predicted": ["Governing Law", "Insurance", "indemnity"],
        "found": ["Governing Law"],
        "missing": ["Anti-Assignment"],
        "invented": ["Insurance", "indemnity"],
    }
    assert (score.tp, score.fp, score.fn, score.gold) == (1, 2, 1, 2)
    assert (score.counts["predicted"], score.f1_top, score.f1_bottom) == (3, 2, 5)
    assert (score.exact, score.positives, score.empty_gold, score.false_alarm) == (0, 1, 0, 0)


def test_a_name_outside_the_vocabulary_is_kept_and_cut():
    score = scored("Governing Law; " + "x" * 80, ["Governing Law"])
    assert score.invented == ["x" * 60]
    assert score.spans[1].quote == "x" * 80


def test_names_from_an_empty_text_are_a_false_alarm():
    score = scored("Insurance", [])
    assert (score.empty_gold, score.false_alarm, score.abstained, score.positives) == (1, 1, 0, 0)


def test_none_beside_a_name_is_one_invented_name_more():
    for text, gold, counted in (("None; Insurance", ["Insurance"], (1, 1, 0)), ("Insurance; none", [], (0, 2, 0))):
        score = scored(text, gold)
        assert (score.tp, score.fp, score.fn) == counted


def test_a_denial_in_prose_is_no_claim():
    assert (
        scored("There is no Insurance clause here, sadly for the bank and for all of the others", ["Insurance"]).tp == 0
    )


@pytest.mark.parametrize(
    ("text", "finish_reason"),
    [
        ("", "stop"),
        (" \n\t", "stop"),
        ("...", "stop"),
        ("<|im_end|>", "stop"),
        ("I'm sorry, but I cannot help with that.", "stop"),
        ("This lease shall be governed by and construed under the laws of the State of Georgia and no other", "stop"),
        ("Governing Law; Insur", "length"),
        ("", "error"),
        ("Governing Law", "error"),
    ],
)
@pytest.mark.parametrize("gold", [[], ["Governing Law"], BOTH])
def test_an_unreadable_answer_scores_no_better_than_a_wrong_one(text, finish_reason, gold):
    wrong = scored("Anti-Assignment", gold)
    score = scored(text, gold, finish_reason)
    assert score.parsed == 0
    assert (score.tp, score.fp, score.fn) == (wrong.tp, wrong.fp, wrong.fn) == (0, 1, len(gold))
    assert (score.value, score.counts["predicted"], score.false_alarm) == (0.0, 1, wrong.false_alarm)
    assert score.invented == ["(unreadable)"] and score.missing == gold


def test_the_reason_of_an_unreadable_answer_is_in_its_span():
    (span,) = scored("Governing Law; Insur", ["Insurance"], "length").spans
    assert (span.quote, span.verdict) == ("Governing Law; Insur", "unreadable")
    assert "token limit" in span.reason


def test_every_named_type_has_a_span_without_its_bullet():
    text = "1. **Governing Law** 🏠\r\n2. Insurance, Indemnity"
    spans = scored(text, ["Governing Law"]).spans
    assert [(span.quote, span.verdict) for span in spans] == [
        ("Governing Law", "found"),
        ("Insurance", "invented"),
        ("Indemnity", "invented"),
    ]


def test_a_name_given_twice_counts_once_where_it_first_stands():
    score = scored("Insurance; Governing Law; Insurance", BOTH)
    assert [(span.start, span.quote) for span in score.spans] == [(0, "Insurance"), (11, "Governing Law")]
    assert score.counts["predicted"] == 2


def test_metric_ratios_over_several_answers():
    """By hand: gold 2+1+0, answers name 2 (1 right), none, 1; so tp 1, fp 2, fn 2."""
    scores = [scored("Insurance; Anti-Assignment", BOTH), scored("none", ["Insurance"]), scored("Insurance", [])]
    assert pooled(clauses.found.metrics, scores) == {
        "clause_recall": 1 / 3,
        "clause_precision": 1 / 3,
        "clause_micro_f1": 2 / 6,
        "clause_exact_set": 0.0,
        "abstention_rate": 1 / 2,
        "false_alarm_rate": 1.0,
        "parse_rate": 1.0,
    }
    lower = {m.name for m in clauses.found.metrics if not m.higher_is_better}
    assert lower == {"abstention_rate", "false_alarm_rate"}


def answered_by(scorer, text: str, gold: list[str]) -> Score:
    case = Case(id="x", input={}, expected=gold, cluster="c")
    return run([scorer], case, answer(text)).clauses


def test_aliases_lead_to_their_type():
    scorer = clauses.among(["ROFR/ROFO/ROFN", "Insurance"], {"right of first refusal": "ROFR/ROFO/ROFN"})
    assert answered_by(scorer, "Right of First Refusal; insurance", ["Insurance", "ROFR/ROFO/ROFN"]).value == 1.0


def test_aliases_of_types_that_a_case_asks_about_lead_to_their_type_in_both_scorers():
    """ "Cover" means a type that this case does not ask about, so that it is an invented name."""
    aliases = {"holding over": "Holdover", "choice of law": "Governing Law", "cover": "Casualty"}
    case = Case(id="x", input={"clause_types": "Governing Law; Holdover"}, expected=["Governing Law"], cluster="c")
    scores = run(
        [clauses.listed(aliases), clauses.by_type(["Governing Law"], aliases=aliases)], case, answer("choice of law")
    )
    assert (scores.clauses.value, scores.each_clause.value) == (1.0, 1.0)
    assert clauses.listed(aliases)(case, answer("choice of law; cover")).invented == ["cover"]
    assert clauses.listed(aliases).version != clauses.found.version


def test_a_copy_of_the_document_is_no_answer():
    document = "7. Insurance. The tenant insures the house."
    case = Case(id="x", input={"document": document, "clause_types": "Insurance"}, expected=["Insurance"], cluster="c")
    assert clauses.found(case, answer(document)).parsed == 0
    assert clauses.found(case, answer(f"{document}\n\nSo it is: insurance")).value == 1.0


def test_a_type_outside_a_fixed_vocabulary_is_invented():
    assert answered_by(clauses.among(["Insurance"]), "Indemnity", []).invented == ["indemnity"]


def test_a_vocabulary_that_cannot_be_told_apart_is_refused_at_once():
    with pytest.raises(UserError, match="2 problems"):
        clauses.among(["As-Is", "as is"], {"warranty": "Warranty Duration"})
    with pytest.raises(UserError, match="means both"):
        clauses.among(["Insurance", "Indemnity"], {"cover": "Insurance", "Cover": "Indemnity"})


@pytest.mark.parametrize(
    ("model", "gate"), [("always yes", "clause_precision"), ("always no", "clause_recall"), ("copy", "parse_rate")]
)
def test_a_trivial_model_fails_one_measure(model, gate):
    """Half of the cases hold no clause; a model that ignores the text must be found out by the measure named."""
    text = "The Tenant shall pay the Landlord on the first day of every month without any set-off or deduction at all."
    reply = {"always yes": "; ".join(VOCABULARY), "always no": "none", "copy": text}[model]
    scores = [scored(reply, gold) for gold in (["Insurance"], [], ["Governing Law"], [])]
    assert pooled(clauses.found.metrics, scores)[gate] <= 0.5


def test_a_case_that_expects_a_type_outside_the_list_is_refused_before_it_is_asked():
    odd = Case(id="x", input={}, expected=["Insurance", "Escrow"], cluster="c")
    (problem,) = clauses.among(["Insurance", "Indemnity"]).check(odd)
    assert "case 'x' expects 'Escrow'" in problem and "Insurance; Indemnity" in problem
    listed = Case(id="x", input={"clause_types": "Insurance; Indemnity"}, expected=["Escrow"], cluster="c")
    assert len(clauses.found.check(listed)) == 1
    assert clauses.found.check(odd) == []


def test_the_macro_mean_names_the_types_that_do_not_occur():
    """By hand: Insurance 1 of 1, Indemnity predicted and not there (F1 0); Repair neither, so that it has no F1."""
    scorer = clauses.among(["Insurance", "Indemnity", "Repair"])
    macro = next(m for m in scorer.metrics if m.kind == "macro_f1")
    case = Case(id="x", input={}, expected=["Insurance"], cluster="c")
    made = estimate(observations([scored_record([scorer], case, answer("Insurance; Indemnity"))], macro), macro)
    assert made.value == pytest.approx((1 + 0) / 2)
    assert made.method.endswith("; without Repair, which do not occur")


def test_an_abstention_is_an_explicit_none_where_a_clause_is_there():
    """Abstention rate: positives answered "none" over positives; an unreadable or wrong answer is no abstention."""
    answers = [("none", BOTH), ("Insurance", BOTH), ("", BOTH), ("Indemnity", BOTH), ("none", [])]
    scores = [scored(text, gold) for text, gold in answers]
    assert [s.abstained for s in scores] == [1, 0, 0, 0, 0]
    assert sum(s.positives for s in scores) == 4
