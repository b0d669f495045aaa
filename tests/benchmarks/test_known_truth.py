"""The completions with known truth: marks that fit, parts that are apart, a set that a naive rule does not solve."""

import re
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import known_truth as truth

DOMAINS = sorted(truth.DOCUMENTS)
TYPES = re.compile(
    r"absent-(?:amount|date|percent|period|count|name|section)|join-(?:party|period|row|section|figure)"
    r"|meaning-(?:exception|obligation|negation|condition|scope)"
)
every_part = pytest.mark.parametrize(("domain", "part"), [(d, p) for d in DOMAINS for p in truth.PARTS])


@every_part
def test_every_completion_is_over_a_document_and_its_marks_fit(domain, part):
    documents = truth.DOCUMENTS[domain]()
    known = truth.load(domain, part)
    assert len({each.id for each in known}) == len(known)
    for each in known:
        assert each.document in documents and each.task in truth.TASKS and each.form in truth.FORMS, each.id
        assert bool(each.question) == (each.task == "answer"), each.id
        assert all(TYPES.fullmatch(error.type) and each.text[error.start : error.end].strip() for error in each.errors)
        assert all(one.end <= other.start for one, other in pairwise(each.errors)), each.id
        assert "[[" not in each.text


@every_part
def test_half_are_faithful_and_errors_are_of_every_class(domain, part):
    known = truth.load(domain, part)
    faithful = sum(each.is_faithful for each in known)
    assert 0.45 <= faithful / len(known) <= 0.55
    kinds = Counter(error.kind for each in known for error in each.errors)
    assert min(kinds[kind] for kind in truth.CLASSES) >= 0.2 * kinds.total()


@every_part
def test_a_rule_of_any_new_value_does_not_solve_it(domain, part):
    documents = truth.DOCUMENTS[domain]()
    known = truth.load(domain, part)
    flagged = {each.id: truth.has_new_value(each.text, documents[each.document]) for each in known}
    caught = [flagged[each.id] for each in known if not each.is_faithful]
    spared = [not flagged[each.id] for each in known if each.is_faithful]
    assert (sum(caught) / len(caught) + sum(spared) / len(spared)) / 2 <= 0.55


@pytest.mark.parametrize("domain", DOMAINS)
def test_parts_share_no_document_and_tuning_to_frozen_is_60_to_40(domain):
    tuning, derived, frozen = (truth.load(domain, part) for part in truth.PARTS)
    documents = [{each.document for each in part} for part in (tuning, derived, frozen)]
    assert sum(map(len, documents)) == len(set().union(*documents))
    assert 0.3 <= len(frozen) / (len(tuning) + len(frozen)) <= 0.5


def test_the_files_are_those_that_were_committed():
    assert truth.digests() == truth.committed_digests()


def test_a_new_value_is_a_number_or_a_name_that_the_document_lacks():
    document = "Ann Lee pays $1,200.00 by May 3, 2021."
    assert not truth.has_new_value("She pays 1,200 on May 3.", document)
    assert truth.has_new_value("She pays 1,300 on May 3.", document)
    assert truth.has_new_value("It is Borrower Lee who pays.", document)
    assert not truth.has_new_value("Payment is due in May.", document)
