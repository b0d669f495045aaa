"""Find names in text: capitalised runs with a word that is no ordinary one, such words alone, and departments.

The lists below are words that a capital alone does not make a name: defined terms, roles, calendar words, openings of
sentences. They are written by hand for contracts, policies and reports in English. A word missing from them can cause a
false alarm; a word too many can hide a name that is made of such words only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from harness.scoring.base import DocumentCache, RangeSet
from harness.scoring.grounding.registry import tokens
from harness.scoring.summaries import FUNCTION
from harness.scoring.text.normalize import normalise
from harness.scoring.text.phrases import word_list

OPENING = FUNCTION | word_list(
    """
    according accordingly additionally afterward afterwards again against although among another answer anyone ask
    available based below besides between call cannot check contact despite done due during eight email even every
    everyone except finally first five following four fourth further furthermore given hello hence hi however
    instead itself just last lastly like likewise make many maybe meanwhile moreover nearly neither next nine nobody
    none note notes nothing notify notwithstanding now one otherwise overall pay per perhaps please previously
    pursuant question rather read regarding review said says second secondly see send seven several similarly since
    six sorry specifically still subject submit sure tell ten thank thanks thereafter therefore third though three
    thus today together tomorrow tonight toward towards two unfortunately unless use very whatever whereas wherever
    whether whoever whose yes yesterday yet
    """
)
"""Words that open a sentence or a clause."""
CALENDAR = word_list(
    """
    am apr april aug august autumn christmas day days dec december easter est fall feb february fri friday h1 h2 jan
    january jul july jun june mar march may mon monday month months nov november oct october pm pst q1 q2 q3 q4 quarter
    sat saturday sep sept september spring summer sun sunday thanksgiving thu thur thurs thursday tue tues tuesday utc
    wed wednesday week winter year years
    """
)
ORDINARY = (
    OPENING
    | CALENDAR
    | word_list(
        """
    access account accrual act addendum additional address addresses adjusted administrative administrator affiliate
    african agency agent amended america american amount analysis annex annual appendix appraisal appraiser approval
    approved architect article asbestos asian asset assignee assignor assistant attorney attorney's audit auditor
    australian authorized award background bank bankruptcy bargain base basic beneficiary benefit bid bidder big bill
    binding board bond bonus book borrower borrowings bottom breach brief british broker brokerage budget building buyer
    bylaws canadian cap capital care carrier cash casualty cause central certificate certified chair chairman change
    chapter charge chief chinese city claim clause clear client closing code collateral commercial committee common
    company condominium conduct confidential consent consultant consumer content context contingency contract contractor
    control copy copyright corp corporate cost counsel counterparts county court covenant covenanted cover coverage
    credit creditor critical cure current customer damage data date dear death debt debtor deed default defect
    deficiency delay delinquent delivery demand deposit design designated detail direct director discharge disclaimer
    disclosing disclosure discount dispute distributor domain driver dutch duty earlier early earnest eastern economic
    effect effective electronic emergency eminent employee employer end engineer english entire environmental error
    escrow escrowed estate estoppel eu eur europe european event exchange exclusive executive executor exercise exhibit
    existing expense fact fair family federal fee fiduciary figures file final financial financing findings fire fiscal
    fixed fixtures flood floor flow force foreclosure form franchise franchisee franchisor fraud free french full fund
    future gaap gbp general georgia georgian german good governing grant grantee grantor gross ground group growth
    guarantee guarantor guaranty guest guideline handbook hazardous heading health hearing heir hereby herein hereof
    hereto hereunder highlights hold holder holding holdover home hours house human important inc incident income
    increase indemnified indemnifying indemnitee indemnitor indenture independent index indian initial injury insured
    insurer intellectual interest interim internal internet investor invoice irish issue issuer italian item japanese
    job joint jury key knowledge land landlord late latent latin law lawful lawyer lead lease leased leasehold leave
    legal lender lessee lessor letter level license licensed licensee licensing licensor lien limit limited line
    liquidated list llc llp loan local long loss losses lot lp ltd main majeure manager managing mandatory manner manual
    manufacturer market marketing material matters maximum mechanic's mechanics media medical meeting member memorandum
    method mexican milestone mineral minimum minor miscellaneous model mold money monthly mortgage mortgagee mortgagor
    motor multiple municipal name national natural net new noise non non-compete non-disclosure northern notary notice
    number objective occupancy offer office officer official old open operating operator opinion oral order ordinary
    original outcome outline outside outstanding overview owner page paragraph parent parking part partial partner party
    patent payee payor penalty percentage period permit permitted person personal personnel pet phase phone plan pledge
    point policy portfolio post power practice premises premium present president price primary principal prior privacy
    private privilege procedure proceeds process producer product professional profit program progress prohibited
    project promissory proof property proposal proposed protected public purchase purchaser purpose qualified quarterly
    quiet quitclaim radon rate rating ratio real realty receipt receiver receiving recital record recorder recourse
    recovery refund refusal regards registered regulatory related release relief remaining remedy renewal rent rental
    repair report reporting representative request required research reserve resident residential residual resolved
    resources respect response restricted result return revenue rider right risk road role royalty rule russian safety
    salary sale sample schedule scope scottish seal secretary secured self seller senior separate service set share
    shareholder short signature signed simple sincerely single site small smoking social software source southern space
    spanish special specific sponsor square staff standard start state status statute statutory step stock storage
    strict structure subcontractor sublease sublessee sublet subletting subscriber subsidiary substantial successor suit
    summary supplemental supplier supply support surety surrender survey survival table takeaway tax taxes technical
    temporary tenancy tenant term termite territory test therein thing threshold time timeline title tort total trade
    trademark training transfer transferee transferor travel treasurer treasury trial trust trustee turnover type u.k
    u.s uk uncapped undersigned underwriter uniform union unit united unlimited usa usd user vacancy valid value vehicle
    vendor venture vice void volume waiver walkthrough warrant warranty waste water website welsh western wherefore
    whereof withdrawal witnesses witnesseth work worker workers' working workplace written yield zoning
    """
    )
)
"""Words whose capital makes no name: places, defined terms, roles and the words above; singular ones."""
COUNTRIES = word_list(
    """
    african america american asian australian british canadian chinese dutch english eu europe european french georgia
    georgian german indian irish italian japanese mexican russian scottish spanish uk us usa welsh
    """
)
"""Ordinary words that are a name where they are alone."""
HARD = word_list("ag bv corp gmbh inc llc llp lp ltd na pc plc pllc pty sa")
"""Endings that make a company of any word before them."""
SOFT = word_list(
    """
    advisors airlines associates association bank brands brothers capital co enterprises foundation group holdings
    hotels industries institute insurance laboratories markets partners partnership pharmaceuticals properties realty
    sons stores studios systems technologies trust university ventures
    """
)
"""Endings that make a party of a word that is not an ordinary one."""
TITLES = word_list("dr gov governor hon judge justice miss mr mrs ms prof professor rep sen senator")
COURTS = word_list(
    """
    appeals appellate bankruptcy chancery circuit county district family high juvenile magistrate municipal probate
    state superior supreme tax
    """
)
"""Words before Court that make it a court's name."""
LINKS = word_list("and de del der la of the van von")
"""Small words inside a name."""
NUMBERS = word_list("eight fifth first five four fourth nine one second seven six ten third three two")
"""Numbers that may begin a name (First Tidal Bank)."""
NO_DEPARTMENT = word_list(
    """
    apartment applicable appropriate box branch business closing commercial condominium corporate dwelling entire
    executive federal first government governmental ground head home housing leased leasing local main management new
    office offices other own post principal public regional registered relevant rental residential respective
    responsible retail sales same second single storage whole
    """
)
"""Words that do not alone make Office, Unit or Authority a department."""
DERIVED = re.compile(
    r"(?:\w{2,}(?:tion|sion|ment|ability|ibility|ness)s?|\w{3,}(?:ances?|ences?|ities|ity|able|ible|ship|ology|ally|ively|ously))"
)
"""Endings that English names seldom have, after a stem that is too long for a name."""


def is_ordinary(word: str) -> bool:
    """Whether a word, in lower case, does not make a name alone."""
    singular = word[:-3] + "y" if word.endswith("ies") else word.removesuffix("s")
    return len(word) < 2 or word in ORDINARY or singular in ORDINARY or DERIVED.fullmatch(word) is not None


HEADS = (
    "Department|Dept\\.|Division|Bureau|Office|Committee|Commission|Agency|Directorate|Team|Desk|Council|Authority|Unit"
)
CAPITAL = "A-ZÀ-ÖØ-Þ"
SHORT = "St|Mr|Mrs|Ms|Dr|Jr|Sr|Hon|Prof|Mt|Ft|Gen|Gov|Sen|Rep|Rev|Inc|Corp|Ltd|Co|Bros"
HYPHENED = r"(?:-\w[\w'’]*+(?!\.\d))*+"
"""Further parts of a word, but not the beginning of a decimal number."""
WORD = rf"(?:(?:[A-Z]\.)+|(?:{SHORT})\.|[{CAPITAL}][\w'’]*{HYPHENED})"
JOIN = r"[ \t]+(?:(?:(?:of|de|la|van|von|der|del)[ \t]+(?:the[ \t]+)?)|&[ \t]+)?"
ENDING = (
    r"(?:LLC|L\.L\.C\.?|Inc|Incorporated|INC|Corp|CORP|L\.P\.?|LP|LLP|L\.L\.P\.?|Ltd|LTD|Limited|PLC|P\.C\.?|PLLC"
    r"|N\.A\.?|Co|GmbH|S\.A\.?)(?!\w)\.?"
)
RUN = re.compile(rf"(?<![\w'’.]){WORD}(?:(?:{JOIN}{WORD})+(?:,[ \t]+{ENDING})?|,[ \t]+{ENDING})")
ALONE = re.compile(
    rf"(?<![Pp]lain )[{CAPITAL}](?:(?<=[^\WA-Z_][ -].)|(?<=[,'’][ -].))"
    r"(?:[^\W\d_]{2,}+|(?<=E)U|(?<=U)[KS])(?:['’]s?)?+(?![\w-]*\d|\w)"
)
"""A capitalised word of three letters or more inside a sentence, or EU, UK or US; not "plain English"."""
OF_WHOM = "Board|Company|Corporation|Landlord|Tenant|Lessor|Lessee|Buyer|Seller|Lender|Borrower|Owner|Employer|Firm"
DEPARTMENT = re.compile(
    rf"(?<![\w'’.])(?:(?P<first>Department|Division|Directorate|Bureau|Office|Ministry|Committee)"
    rf"[ \t]+(?:of|on|for)[ \t]+(?:the[ \t]+)?(?!(?:{OF_WHOM})(?!\w)){WORD}"
    rf"(?:(?:,[ \t]+|[ \t]+(?:and[ \t]+|&[ \t]+|of[ \t]+)?)(?!(?:{HEADS})(?!\w)){WORD}){{0,9}}"
    rf"|{WORD}(?:(?:,[ \t]+|[ \t]+)(?:(?:and|&)[ \t]+)?{WORD}){{0,7}}?[ \t]+(?P<last>{HEADS})(?!\w)"
    rf"(?!(?:(?<=Department)|(?<=Division)|(?<=Bureau)|(?<=Office))[ \t]+of[ \t]+(?:the[ \t]+)?"
    rf"(?!(?:{OF_WHOM})(?!\w))[{CAPITAL}]))"
)
LOWER_DEPARTMENT = re.compile(
    r"\b(?:the|our|your)[ \t]+(?P<name>[a-z]+(?:[ \t]+(?:and[ \t]+)?[a-z]+)?[ \t]+department)\b"
)
INITIAL = re.compile(r"(?:^|[.!?:;\n•*>\"“”(\[|-])[\s*_\"“'‘(]*$")
HEADING = re.compile(r"[ \t]*(?:#|\*\*[^*\n]*\*\*[ \t]*:?[ \t]*$|[^\n]{0,80}:[ \t]*\**[ \t]*$)", re.M)
LABEL_BEFORE = re.compile(r"(?:^|\n)[ \t]*(?:[-*•]|\d+[.)])?[ \t]*[*_]*$")
LABEL_AFTER = re.compile(r"[*_]*[ \t]*(?:\([^)\n]{0,40}\))?[ \t]*:")
STARTER = re.compile(r"\w+(?:ing|ed|ly)")
DOTTED = re.compile(r"Inc|INC|Corp|CORP|Ltd|LTD|Co|CO|Bros|Jr|Sr|(?:\w\.)+\w")
"""Endings that include a full stop."""
LOWER_WORD = re.compile(r"(?<![\w'’-])[a-z][a-z]+")


MAX_WORDS = 12
"""Words of the longest name; a longer run is a block of signatures or a title."""


class NameMention(NamedTuple):
    """One name: its range in the text, its kind, and its words as names are compared."""

    start: int
    end: int
    kind: str
    words: tuple[str, ...]


Words = list[tuple[str, int, int]]


@DocumentCache
def lower_words(text: str) -> frozenset[str]:
    """Return the words that a text also writes without a capital, which makes them ordinary in it."""
    return frozenset(LOWER_WORD.findall(text))


def names_in(text: str, common: frozenset[str] = frozenset()) -> list[NameMention]:
    """List the names of a text in order of appearance; words of `common` are ordinary too."""
    normal = normalise(text)
    names = list(_departments(normal.text))
    departments = RangeSet((name.start, name.end) for name in names)
    for run in RUN.finditer(normal.text):
        if departments.is_free(*run.span()):
            names.extend(_names(normal.text, run.start(), run.end(), common))
    names.extend(_alone(normal.text, names, common))
    placed = [NameMention(*normal.original(*name[:2]), *name[2:]) for name in names]
    return sorted(placed, key=lambda name: name.start)


def _names(text: str, start: int, end: int, common: frozenset[str]) -> Iterator[NameMention]:
    for words in _segments(text, start, end):
        kind = _kind(text, words, common)
        is_opened = len(words) == 2 and STARTER.fullmatch(words[0][0]) and opens(text, words[0][1])
        if kind:
            yield _mention(text, kind, words[1:] if kind == "name" and is_opened else words)  # "Counting Oakmere"


def _alone(text: str, names: list[NameMention], common: frozenset[str]) -> Iterator[NameMention]:
    """Capitalised words inside a sentence that are in none of these longer names."""
    longer = RangeSet((name.start, name.end) for name in names)
    for match in ALONE.finditer(text):
        words = _tokens(text, *match.span())[:1]
        word = words[0][0]
        ordinary = is_ordinary(word) and COUNTRIES.isdisjoint((word, word.removesuffix("s")))
        if (
            not (ordinary or word in common or word in TITLES)
            and longer.is_free(*match.span())
            and not _is_heading(text, *match.span())
        ):
            yield _mention(text, "name", words)


def _mention(text: str, kind: str, words: Words) -> NameMention:
    start, end = words[0][1], words[-1][2]
    dotted = text[end : end + 1] == "." and (DOTTED.fullmatch(text, words[-1][1], end) is not None)
    return NameMention(start, end + dotted, kind, tuple(word for word, _, _ in words))


def _segments(text: str, start: int, end: int) -> Iterator[Words]:
    """The run split at words that open sentences, at calendar words, and after a company's ending."""
    words: Words = []
    for word, first, last in _tokens(text, start, end):
        if word in LINKS and not text[first].isupper():
            words.append((word, first, last))
        elif (word in OPENING and word not in NUMBERS) or word in CALENDAR:
            yield from _trimmed(words)
            words = []
        else:
            if word in TITLES and len(words) > 1:
                yield from _trimmed(words)
                words = []
            words.append((word, first, last))
            if word in HARD and len(words) > 1:
                yield from _trimmed(words)
                words = []
    yield from _trimmed(words)


def _tokens(text: str, start: int, end: int) -> Words:
    return [(word, start + first, start + last) for word, first, last in tokens(text[start:end])]


def _trimmed(words: Words) -> Iterator[Words]:
    """Without links at either end; not if it is a single word or a block of them."""
    while words and words[0][0] in LINKS:
        words = words[1:]
    while words and words[-1][0] in LINKS:
        words = words[:-1]
    if 1 < len(words) <= MAX_WORDS:
        yield words


def opens(text: str, at: int) -> bool:
    """Whether a sentence, a line or a quotation begins at an offset."""
    return bool(INITIAL.search(text, max(0, at - 12), at)) if at else True


def _kind(text: str, words: Words, common: frozenset[str]) -> str | None:
    """The kind of name that the words are, or None if they are no name."""
    last = words[-1][0]
    if last in HARD:
        return "party"
    if text[words[0][1] : words[-1][2]].isupper():
        return None
    plain = [word for word, _, _ in words]
    rare = [at for at, word in enumerate(plain) if not (word in LINKS or is_ordinary(word) or word in common)]
    if plain[0] in TITLES:
        return "person"
    if "court" in plain:
        return "court" if COURTS.intersection(plain) or rare else None
    for kind in ("fund", "index"):
        if kind in plain and (rare or len(plain) > 2):
            return kind
    if not rare:
        is_bank = last == "bank" and not COUNTRIES.union(NUMBERS).isdisjoint(plain)
        return "party" if is_bank and len(plain) > 2 else None  # First Georgia Bank
    if (
        rare == [0]
        and opens(text, words[0][1])
        and ((len(words) == 2 and last not in SOFT) or STARTER.fullmatch(plain[0]))
    ):
        return None
    if last in SOFT:
        return "party"
    return None if _is_heading(text, words[0][1], words[-1][2]) else "name"


def _is_heading(text: str, start: int, end: int) -> bool:
    """Whether a name is in a heading, or is a label before a colon."""
    line = text.rfind("\n", 0, start) + 1
    if HEADING.match(text, line):
        return True
    return bool(LABEL_AFTER.match(text, end)) and bool(LABEL_BEFORE.search(text, max(0, start - 12), start))


def _departments(text: str) -> Iterator[NameMention]:
    for match in DEPARTMENT.finditer(text):
        if match[0].isupper():
            continue
        words = _tokens(text, match.start(), match.end())
        while words and (words[0][0] in OPENING or words[0][0] in LINKS):
            words = words[1:]
        content = [w for w, _, _ in (words[:-1] if match["last"] else words[1:]) if w not in LINKS]
        if content and not all(word in NO_DEPARTMENT for word in content):
            yield _mention(text, "department", words)
    for match in LOWER_DEPARTMENT.finditer(text):
        words = _tokens(text, match.start("name"), match.end())
        if not any(word in NO_DEPARTMENT or word in OPENING for word, _, _ in words[:-1] if word != "and"):
            yield _mention(text, "department", words)
