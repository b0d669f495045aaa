"""Personal data is found by its check sum or strict form, masked without rest, and nothing else is touched."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.curation.conftest import sample
from training.curation.check import CheckSettings
from training.curation.checks import pii
from training.curation.personal_data import IBAN_LENGTHS, Mask, places
from training.curation.text import spread

ALPHANUMERIC = string.digits + string.ascii_uppercase


def luhn_digit(payload):
    """The check digit by the textbook: double every second digit from the right, add the digits of the products."""
    doubled = "".join(str(int(d) * (2 if place % 2 == 0 else 1)) for place, d in enumerate(reversed(payload)))
    return str(-sum(map(int, doubled)) % 10)


def iban_of(country, account):
    """An IBAN with the check digits of ISO 7064: 98 less the remainder by 97."""
    number = int("".join(str(ALPHANUMERIC.index(c)) for c in account + country) + "00")
    return f"{country}{98 - number % 97:02}{account}"


def types(text):
    return [place.type for place in places(text)]


def grouped(text, size=4):
    return " ".join(text[at : at + size] for at in range(0, len(text), size))


cards = st.tuples(st.sampled_from("23456"), st.text(string.digits, min_size=14, max_size=14)).map("".join)
accounts = st.sampled_from(sorted(IBAN_LENGTHS)).flatmap(
    lambda country: st.tuples(
        st.just(country), st.text(ALPHANUMERIC, min_size=IBAN_LENGTHS[country] - 4, max_size=IBAN_LENGTHS[country] - 4)
    )
)


@settings(deadline=None)
@given(cards)
def test_every_valid_card_is_found_whole_and_grouped(payload):
    card = payload + luhn_digit(payload)
    for text in (card, grouped(card), grouped(card).replace(" ", "-")):
        found = places(f"Card {text}, please.")
        assert [(p.type, p.end - p.start) for p in found] == [("CARD", len(text))]


@settings(deadline=None)
@given(cards, st.sampled_from("123456789"))
def test_digits_that_fail_the_check_are_no_card(payload, off):
    wrong = payload + str((int(luhn_digit(payload)) + int(off)) % 10)
    assert "CARD" not in types(f"Card {wrong}, please.") + types(f"Card {grouped(wrong)}, please.")


@settings(deadline=None)
@given(accounts)
def test_every_valid_iban_is_found_compact_grouped_and_in_lower_case(parts):
    iban = iban_of(*parts)
    for text in (iban, grouped(iban), iban.lower()):
        found = places(f"Pay to {text} now.")
        assert [(p.type, p.end - p.start) for p in found] == [("IBAN", len(text))]


@settings(deadline=None)
@given(accounts, st.integers(1, 96))
def test_an_iban_with_other_check_digits_is_none(parts, off):
    iban = iban_of(*parts)
    wrong = f"{parts[0]}{(int(iban[2:4]) - 2 + off) % 97 + 2:02}{parts[1]}"
    assert "IBAN" not in types(f"Pay to {wrong} now.") + types(f"Pay to {grouped(wrong)} now.")


@pytest.mark.parametrize(("text", "expected"), [
    ("dana.cole+x@mail.example.co.uk.", ["EMAIL"]),
    ("SSN 123-45-6789", ["SSN"]),
    ("call (404) 555-0142 or 404.555.0143 or +44 20 7946 0958", ["PHONE"] * 3),
    ("fax 214/905-0514 or 1/800/451-0093 or 713 / 880-6500 or (800) 566- 9347", ["PHONE"] * 4),
    ("_(877) 472-6716_ and CA 95819(916) 736-3966 and + 86 (21) 6086 7111, +847.576.4688", ["PHONE"] * 4),
    ("at 203.0.113.77 and 2001:db8::8a2e:370:7334", ["IP", "IP"]),
    ("4111 1111 1111 1111 123 and 12 3782 822463 10005", ["CARD", "CARD"]),
    ("Invoice RE2024 IBAN DE89 3704 0044 0532 0130 00 BIC COBADEFFXXX", ["IBAN"]),
    ("404‑555‑0142, 404–555–0143, 4111‑1111‑1111‑1111 and 123‑45‑6789", ["PHONE", "PHONE", "CARD", "SSN"]),
    ("Card No.4111 1111 1111 1111, not 0.4111111111111111; _a@x.example_ or a@x.example__", ["CARD", "EMAIL", "EMAIL"]),
    ("４１１１ １１１１ １１１１ １１１１ and a\u200bb@example.com", ["CARD", "EMAIL"]),
])  # fmt: skip
def test_each_form_is_found(text, expected):
    assert types(text) == expected


@pytest.mark.parametrize("text", [
    "O.C.G.A. § 44-14-162.2 and Section 10.1.2.3; version 1.2.3.4",
    "of $1,234,567.89 on 12/31/2024, 2024-01-02, at 12:30:45 by docket 2019-12-3456",
    "000-12-3456, 666-12-3456, 900-12-3456, 123-00-4567, 123-45-0000",
    "300.1.2.3 and 127.0.0.1\n1.1.1.2 the Receiving Party",
    "meet @ noon, user@localhost, 1234567890123456, area 123-456-7890",
    "1111 2222 3333 4444 5555",
    "patent AU 2014240948 of account 3302444451, DB2/ 26356633.19, Global 800 / 850 / 1900, 5 + 2025550142",
])  # fmt: skip
def test_numbers_of_contracts_are_none(text):
    assert types(text) == []


LETTERS = string.ascii_letters + string.digits
BLOCK = "-----{} RSA " + "PRIVATE KEY-----"
LINE = "MIIEpAIBAAKCAQEA7bq8Yt0pQ2mZr4sVnW1xK9uLh3cF5gJd"


@pytest.mark.parametrize(("secret", "is_masked"), [
    ("sk-" + LETTERS[-48:], True),
    ("sk-proj-" + LETTERS[30:] + "_-" + LETTERS, True),
    ("AKIA" + "ABCDEFGH234567IJ", True),
    ("ghp_" + LETTERS[20:56], True),
    ("github_pat_" + LETTERS[:22] + "_" + LETTERS[:59], True),
    ("eyJ" + LETTERS + ".eyJ" + LETTERS + "." + LETTERS, True),
    (f"{BLOCK.format('BEGIN')}\nProc-Type: 4,ENCRYPTED\n\n{LINE}\n{LINE}==\n{BLOCK.format('END')}", True),
    (f"{BLOCK.format('BEGIN')}\\n{LINE}\\n{LINE}", True),
    ("sk-estimator-pipeline-transformer", False),
    ("task-12345678901234567890123", False),
    ("AKIA" + "ABCDEFGH", False),
    (f"{BLOCK.format('BEGIN')} is the first of the lines in which a key stands", False),
    ("http://example.com:8080/a@b and ssh://host:22 and redis://user@host", False),
])  # fmt: skip
def test_keys_and_tokens_are_masked_whole_and_words_like_them_are_not(secret, is_masked):
    masked = Mask()(f"Use {secret} now.")
    assert masked == ("Use [SECRET_1] now." if is_masked else f"Use {secret} now.")


def test_of_an_address_with_a_password_only_this_is_masked():
    text = "postgres://admin:s3cr3t!@db.example.com:5432/x and redis://:s3cr3t!@cache.example.com"
    masked = "postgres://admin:[SECRET_1]@db.example.com:5432/x and redis://:[SECRET_1]@cache.example.com"
    assert Mask()(text) == masked and places(masked) == []


pieces = st.one_of(
    cards.map(lambda payload: grouped(payload + luhn_digit(payload))),
    accounts.map(lambda parts: iban_of(*parts)),
    st.sampled_from(["a@b.example", "(404) 555-0142", "123-45-6789", "203.0.113.77", "+44 20 7946 0958", "s://a:b@c"]),
    st.sampled_from(["sk-" + LETTERS[30:], "ghp_" + LETTERS[20:56], BLOCK.format("BEGIN") + LINE]),
    st.text(string.ascii_letters + string.digits + " .-@:/", max_size=12),
)


@settings(deadline=None)
@given(st.lists(pieces, max_size=8).map(" ".join))
def test_masking_leaves_none_behind_and_keeps_the_rest(text):
    mask = Mask()
    masked = mask(text)
    assert places(masked) == []
    assert sum(mask.counts.values()) >= len(places(text))
    if not places(text):
        assert masked == text


def test_one_value_is_one_mask_in_the_whole_row():
    mask = Mask()
    first = mask("From a@x.example to b@x.example, card 4111 1111 1111 1111.")
    second = mask("A@X.example paid by 4111111111111111.")
    assert first == "From [EMAIL_1] to [EMAIL_2], card [CARD_1]."
    assert second == "[EMAIL_1] paid by [CARD_1]."
    assert mask.counts == {"EMAIL": 3, "CARD": 2}


def test_findings_count_by_type_and_quote_nothing_personal():
    found = pii.find(sample("Ask a@x.example or b@x.example", "SSN 123-45-6789", "Nothing here"), CheckSettings())
    assert [(f.row, f.reason) for f in found.findings] == [(0, "contains EMAIL (2)"), (1, "contains SSN")]
    assert found.counts == {"EMAIL": 2, "SSN": 1}
    assert [r for r in found.tables[0].rows if r[1] != "0"] == [["EMAIL", "2", "1"], ["SSN", "1", "1"]]
    assert all("example" not in f.quote and "6789" not in f.quote for f in found.findings)


def test_worker_processes_give_the_rows_in_order(monkeypatch):
    rows = [(f"{n} of a{n}@x.example",) if n % 3 else (f"{n}",) for n in range(40)]
    serial = pii._types_of(rows)
    monkeypatch.setattr("training.curation.text.PARALLEL_FROM", 10)
    monkeypatch.setattr("training.curation.text.CHUNK", 7)
    assert spread(pii._types_of, rows) == serial and len(serial) == 40
