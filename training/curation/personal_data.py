"""Detection and masking of personal data and secrets with a check sum or a strict form.

Types are e-mail, IBAN, card, SSN, phone, IP address, and secrets: keys, tokens and passwords in addresses.

Names, street addresses, dates of birth, passports and licence numbers are not detected. Numbers without separators
are only detected as cards and IBANs: ten digits in a row are as often an account or a docket as a phone. Passwords in
plain text and keys without a published prefix are not detected.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from harness.scoring.text.normalize import normalise


class Form(NamedTuple):
    """One type of personal data; only texts that match `mark` are searched."""

    name: str
    mark: re.Pattern[str]
    spans: Callable[[str], Iterator[tuple[int, int]]]


EMAIL = re.compile(r"(?<![\w.+-])[\w.+'-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?![^\W_]|@)")
IBAN = re.compile(r"(?<![A-Za-z0-9])(?=([A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]){11,30}))")
"""Looks ahead, because what comes before an IBAN, such as an invoice number, may begin like one."""
SSN = re.compile(r"(?<![\w-])(?!000|666|9)\d{3}([ -])(?!00)\d{2}\1(?!0000)\d{4}(?![\w-])")
DIGIT_RUN = re.compile(r"(?<![\w,])(?<!\d\.)\d+(?:[ -]\d+)*(?![\w-])")
US_PHONE = (
    r"(?:(?<![^\W_])(?<![.-])(?:\+?1[ ./-]?)?[2-9]\d{2}(?:[ .-]|- | ?/ ?)"
    r"|(?:(?<![^\W_])(?<![.-])\+?1[ ./-]?)?\( ?[2-9]\d{2} ?\)(?:[ ./-]|  )?)"
    r"[2-9]\d{2}(?:[ .-]|- )\d{4}(?![^\W_]|-)"
)
"""Numbers of the North American plan: an area code, in parentheses or not, then groups of three and four digits."""
INTERNATIONAL_PHONE = r"(?<![^\W_])(?<!\+)\+(?: (?=\d{1,3}[ (]))?[1-9](?:[ ./-]?(?:\(\d{1,4}\)|\d)){7,14}(?!\w)"
"""A plus sign and 8 to 15 digits (ITU-T E.164)."""
PHONE = re.compile(f"{US_PHONE}|{INTERNATIONAL_PHONE}")
IP4 = re.compile(r"(?<![\w.-])(?:\d{1,3}\.){3}\d{1,3}(?!\w)(?!\.\d)")
IP6 = re.compile(r"(?<![\w:.])(?=[0-9A-Fa-f:]*:[0-9A-Fa-f]*:)[0-9A-Fa-f:]{3,39}(?![\w:])")
NUMBERED = re.compile(r"(?:§+|\b(?:sections?|clauses?|articles?|paragraphs?|rules?|versions?|v|no|nos)\b\.?)\s*$", re.I)
"""What precedes a number of four parts that is no IP address."""
OPENS = re.compile(r"(?:^|[\n.;:)\]])\s*$")
SECTIONS = 32
"""At the start of a line or sentence, four parts that are all below this are a section number."""
KEY_PREFIXES = (
    r"sk-(?=[\w-]*\d)[\w-]{20,}",  # OpenAI, Anthropic, DeepSeek.
    r"(?:AKIA|ASIA)[A-Z2-7]{16}",  # AWS access keys.
    r"gh[opsur]_\w{36,}|github_pat_\w{22,}",
    r"glpat-[\w-]{20,}",  # GitLab.
    r"AIza[\w-]{35}",  # Google.
    r"hf_[A-Za-z]{30,}",  # Hugging Face.
    r"npm_[A-Za-z0-9]{36}|pypi-[\w-]{50,}",
    r"SG\.[\w-]{16,32}\.[\w-]{16,64}",  # SendGrid.
    r"xox[abeprs]-[\w-]{10,}",  # Slack.
    r"[rs]k_(?:live|test)_[A-Za-z0-9]{10,}",  # Stripe.
    r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{16,}",  # JSON Web Tokens: base64 of '{"' (RFC 7519).
)
"""Keys as their issuers document them; the lengths are those of the rules of gitleaks and detect-secrets."""
PRIVATE_KEY = r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
SECRET = re.compile(
    rf"(?<![\w-])(?:{'|'.join(KEY_PREFIXES)})(?![\w-])"
    rf"|{PRIVATE_KEY}(?:(?:[^-]|-(?!----)){{1,20000}}{PRIVATE_KEY.replace('BEGIN', 'END')}"
    r"|(?:(?:\s|\\[nr])*[A-Za-z0-9+/=]{40,})+)"
    r"|(?<=://)[^\s/?#:@\[\]]{0,64}:(?P<password>[^\s/?#:@\[\]]{1,128})@(?=[^\W_])",
    re.ASCII,
)
"""Also private keys (RFC 7468), whole or without their end, and the password of an address (RFC 3986, 3.2.1)."""
SECRET_MARK = re.compile(r"sk-|A[KS]IA|gh[opsur]_|_pat_|glpat|AIza|hf_|npm_|pypi-|SG\.|xox|k_[lt]|eyJ|-----B|://")
CARD_DIGITS = range(13, 20)
CARD_GROUPS = {(4, 4, 4, 4), (4, 4, 4, 4, 3), (4, 6, 5), (4, 6, 4), (6, 13), (4, 4, 5)}
"""Layouts of card numbers in groups of digits."""
IBAN_LENGTHS = {
    country: int(length)
    for country, length in re.findall(
        r"([A-Z]{2})=(\d+)",
        "AD=24 AE=23 AL=28 AT=20 AZ=28 BA=20 BE=16 BG=22 BH=22 BI=27 BR=29 BY=28 CH=21 CR=22 CY=28 CZ=24 DE=22 DJ=27 "
        "DK=18 DO=28 EE=20 EG=29 ES=24 FI=18 FK=18 FO=18 FR=27 GB=22 GE=22 GI=23 GL=18 GR=27 GT=28 HN=28 HR=21 HU=28 "
        "IE=22 IL=23 IQ=23 IS=26 IT=27 JO=30 KW=30 KZ=20 LB=28 LC=32 LI=21 LT=20 LU=20 LV=21 LY=25 MC=27 MD=24 ME=22 "
        "MK=19 MN=20 MR=27 MT=31 MU=30 NI=28 NL=18 NO=15 OM=23 PK=24 PL=28 PS=29 PT=25 QA=29 RO=24 RS=22 RU=33 SA=24 "
        "SC=31 SD=18 SE=24 SI=19 SK=24 SM=27 SO=23 ST=25 SV=28 TL=23 TN=24 TR=26 UA=29 VA=22 VG=24 XK=20 YE=30",
    )
}
"""Characters of an IBAN by country (ISO 13616, the SWIFT registry)."""


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 + place % 2)
        total += doubled - 9 * (doubled > 9)
    return total % 10 == 0


def iban(code: str) -> bool:
    """Whether a code without separators has its country's length and remainder 1 by 97 (ISO 13616, ISO 7064)."""
    code = code.upper()
    if IBAN_LENGTHS.get(code[:2]) != len(code):
        return False
    return int("".join(str(int(c, 36)) for c in code[4:] + code[:4])) % 97 == 1


def _matches(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
    return (match.span() for match in pattern.finditer(text))


def _secrets(text: str) -> Iterator[tuple[int, int]]:
    """Yield keys and tokens, and of an address with a password only this."""
    return (match.span(match.lastgroup or 0) for match in SECRET.finditer(text))


def _ibans(text: str) -> Iterator[tuple[int, int]]:
    """Yield spans with as many characters as the country's IBANs have, if no letter or digit follows."""
    for match in IBAN.finditer(text):
        length = IBAN_LENGTHS.get(match[1][:2].upper(), 0)
        places = [at for at in range(*match.span(1)) if text[at].isalnum()]
        if length and len(places) >= length:
            end = places[length - 1] + 1
            code = "".join(text[at] for at in places[:length])
            if not text[end : end + 1].isalnum() and iban(code):
                yield match.start(), end


def _cards(text: str) -> Iterator[tuple[int, int]]:
    """Yield numbers of 13 to 19 digits, whole or in card layouts, with a card's first digit and Luhn check digit."""
    for run in DIGIT_RUN.finditer(text):
        if len(run[0]) < CARD_DIGITS[0]:
            continue
        groups = [(m.start() + run.start(), m.end() + run.start()) for m in re.finditer(r"\d+", run[0])]
        at = 0
        while at < len(groups):
            size = next((n for n in range(5, 0, -1) if _card(text, groups[at : at + n], n)), 0)
            if size:
                yield groups[at][0], groups[at + size - 1][1]
            at += size or 1


def _card(text: str, groups: list[tuple[int, int]], size: int) -> bool:
    sizes = tuple(end - start for start, end in groups)
    digits = "".join(text[start:end] for start, end in groups)
    shaped = len(groups) == size and (size == 1 or sizes in CARD_GROUPS)
    return shaped and len(digits) in CARD_DIGITS and digits[0] in "23456" and digits.isascii() and luhn(digits)


def _addresses(text: str) -> Iterator[tuple[int, int]]:
    """Yield IPv4 and IPv6 addresses, without section and version numbers, loopback and unspecified addresses."""
    for pattern in (IP4, IP6):
        for match in pattern.finditer(text):
            try:
                address = ipaddress.ip_address(match[0])
            except ValueError:
                continue
            before = text[max(0, match.start() - 20) : match.start()]
            small = "." in match[0] and all(int(part) < SECTIONS for part in match[0].split("."))
            numbered = NUMBERED.search(before) or (small and OPENS.search(before))
            if not numbered and not address.is_loopback and not address.is_unspecified:
                yield match.span()


HYPHENS = str.maketrans("‐‑–", "---")
"""Hyphens that word processors put into numbers so that these stay on one line, and the dash of typeset ones."""
DIGIT = re.compile(r"\d")
FORMS = (
    Form("SECRET", SECRET_MARK, _secrets),
    Form("EMAIL", re.compile("@"), partial(_matches, EMAIL)),
    Form("IBAN", re.compile(r"[A-Za-z]{2}\d{2}"), _ibans),
    Form("CARD", DIGIT, _cards),
    Form("SSN", DIGIT, partial(_matches, SSN)),
    Form("PHONE", DIGIT, partial(_matches, PHONE)),
    Form("IP", re.compile(r"\.\d|:[0-9A-Fa-f]*:"), _addresses),
)
"""In order of precedence."""


class Place(NamedTuple):
    """The span of personal data in a text, and its type."""

    start: int
    end: int
    type: str


def places(text: str) -> list[Place]:
    """Return every span of personal data in a text, in order and without overlaps."""
    normal = normalise(text)
    searched = normal.text if text.isascii() else normal.text.translate(HYPHENS)
    taken = bytearray(len(searched))
    spans = []
    for form in FORMS:
        if form.mark.search(searched):
            for start, end in form.spans(searched):
                if 1 not in taken[start:end]:
                    taken[start:end] = b"\1" * (end - start)
                    spans.append(Place(*normal.original(start, end), form.name))
    return sorted(spans)


class Mask:
    """Masks texts that belong together, such as those of a row; equal values get the same mask, such as `[EMAIL_1]`."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._masks: dict[str, dict[str, str]] = {}

    def __call__(self, text: str) -> str:
        """Mask every span, repeatedly until none is left."""
        while spans := places(text):
            pieces, at = [], 0
            for place in spans:
                pieces += [text[at : place.start], self._mask(place.type, text[place.start : place.end])]
                at = place.end
                self.counts[place.type] += 1
            text = "".join([*pieces, text[at:]])
        return text

    def _mask(self, kind: str, value: str) -> str:
        masks = self._masks.setdefault(kind, {})
        return masks.setdefault("".join(c for c in value.casefold() if c.isalnum()), f"[{kind}_{len(masks) + 1}]")
