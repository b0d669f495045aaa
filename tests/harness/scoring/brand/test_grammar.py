"""What the rules of grammar find in sentences of business writing that were written before the rules were read."""

from pathlib import Path

from harness.scoring.brand.grammar import slips
from harness.scoring.brand.violations import NormalForms

LINES = Path(__file__).with_name("grammar_sentences.tsv").read_text("utf-8").splitlines()
SENTENCES = [line.split("\t") for line in LINES]


def found(sentence: str) -> list[str]:
    text = NormalForms(sentence)
    return [slip.rule for slip in slips(text.even)]


def test_no_rule_finds_a_mistake_in_a_correct_sentence():
    correct = [sentence for kind, sentence in SENTENCES if kind == "correct"]
    assert len(correct) == 42 and [sentence for sentence in correct if found(sentence)] == []


def test_the_rules_find_what_the_decision_says():
    wrong = [sentence for kind, sentence in SENTENCES if kind != "correct"]
    assert (sum(bool(found(sentence)) for sentence in wrong), len(wrong)) == (6, 42)
