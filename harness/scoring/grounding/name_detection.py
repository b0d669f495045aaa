"""Find names in text: capitalised runs with a word that is no ordinary one, and departments.

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
from harness.scoring.text.normalize import normalise

OPENINGS = """
a about above according accordingly additionally after again all also although among an and another answer any anyone
are as ask at available based be because been before below besides between both but by call can cannot check contact
could despite do does done due during each eight either else email even every everyone except finally first five
following for four fourth from further furthermore given had has have he hello hence her here hi his how however i if
in instead into is it its itself just last lastly like likewise make many may maybe meanwhile more moreover most must
my nearly neither next nine no nobody none nor not note notes nothing notify notwithstanding now of on once one only
or other otherwise our out over overall pay per perhaps please previously pursuant question rather read regarding
review said says second secondly see send seven several shall she should similarly since six so some sorry
specifically still subject submit such sure tell ten than thank thanks that the their them then there thereafter
therefore these they third this those though three through thus to today together tomorrow tonight too toward towards
two under unfortunately unless until up upon us use very was we were what whatever when where whereas wherever whether
which while who whoever whom whose why will with within without would yes yesterday yet you your
"""
CALENDAR = """
am apr april aug august autumn christmas day days dec december easter est fall feb february fri friday jan january jul
july jun june mar march may mon monday month months nov november oct october pm pst quarter sat saturday sep sept
september spring summer sun sunday thanksgiving thu thur thurs thursday tue tues tuesday utc wed wednesday week winter
year years
"""
PLACES = """
african america american americans asian australian british canadian chinese city county dutch eastern english eu
europe european federal french georgia georgian german indian irish italian japanese latin mexican northern russian
scottish southern spanish state states u.k u.s uk united us usa welsh western
"""
TERMS = """
abatement acceptance access account accounts accrual acquisition act action actions addendum additional address
addresses adjusted adjustment administration administrative administrator advance advances affiliate affiliates agency
agent agents agreement agreements allowance alteration alterations amended amendment amendments amount amounts
analysis annex annual answer answers appendix applicable application appraisal appraiser approval approved arbitration
architect article articles asbestos asset assets assignee assignment assignments assignor assistant attachment
attorney attorney's attorneys audit auditor authorities authority authorization authorized award background balance
bank bankruptcy bargain base basic beneficiary benefit benefits bid bidder bidders big bill binding board bond bonus
book borrower borrowings bottom breach brief broker brokerage budget building buildings business buyer buyers bylaws
cancellation cap capital care carrier cash casualty cause central certificate certificates certified chair chairman
change changes chapter charge charges chief claim claims clause clauses clear client clients closing closings code
collateral collection commencement commercial commission commissions commitment committee common communications
company compensation competition completion compliance concession conclusion condition conditions condominium conduct
confidential confidentiality consent consideration construction consultant consumer contact content context
contingencies contingency contract contractor contractors contracts control conveyance copy copyright corp corporate
corporation cost costs counsel counterparts court covenant covenanted covenants cover coverage credit creditor
critical cure current customer customers damage damages data date dates dear death debt debtor declaration deed deeds
default defaults defect defects deficiency definition definitions delay delinquent deliverable deliverables delivery
demand department deposit deposits description design designated destruction detail details development diligence
direct director directors disbursement discharge disclaimer disclosing disclosure disclosures discount dispute
disputes distribution distributor division document documents domain driver duration duties duty earlier early earnest
easement easements economic effect effective electronic email emergency eminent employee employees employer employment
encroachment encumbrance encumbrances end enforcement engagement engineer enjoyment entire entitlement environmental
equipment equity error escrow escrowed essence estate estoppel event events evidence exception exceptions exchange
exclusion exclusions exclusive exclusivity execution executive executor exercise exhibit exhibits existing expansion
expense expenses expiration explanation extension facilities facility fact facts fair family federal fee fees
fiduciary figures file final finance financial financing findings fire fiscal fixed fixtures flood floor flow force
foreclosure form forms foundation franchise franchisee franchisor fraud free full fund funds future gaap general good
goods governing government grant grantee grantor gross ground group growth guarantee guarantees guarantor guarantors
guaranty guest guests guideline guidelines handbook hazardous heading health hearing heir heirs hereby herein hereof
hereto hereunder highlights hold holder holding holdings holdover home hours house human important improvement
improvements inc incident income increase increases indemnification indemnified indemnifying indemnitee indemnities
indemnitor indemnity indenture independent index information initial injury inspection inspections installment
institution instrument insurable insurance insured insurer intangible intellectual interest interests interim internal
internet investment investments investor investors invoice issue issuer item items job joint judgment jurisdiction
jury key knowledge land landlord landlords late latent law lawful laws lawyer lead lease leased leasehold leases leave
legal lender lenders lessee lessor letter letters level levels liabilities liability license licensed licensee
licensing licensor lien liens limit limitation limitations limited line liquidated list litigation llc llp loan loans
local location long loss losses lot lp ltd main maintenance majeure majority management manager managers managing
mandatory manner manual manufacturer market marketable marketing material materials matters maturity maximum
mechanic's mechanics media mediation medical meeting member members memorandum method milestone milestones mineral
minimum minor miscellaneous model mold money monthly mortgage mortgagee mortgagor motor multiple municipal name names
national natural negligence net new noise non non-compete non-disclosure notary note notice notices number objective
objectives obligation obligations occupancy occurrence offer offers office officer officers official old open
operating operation operations operator opinion option options oral order orders ordinary original outcome outline
outside outstanding overview owner owners ownership page paragraph parent parking part partial parties partner
partners partnership party patent patents payee payment payments payor penalty percentage performance period periods
permit permits permitted person personal personnel pet pets phase phone plan plans pledge point points policies policy
portfolio position possession post power practice premises premium prepayment present president price prices primary
principal principals prior privacy private privilege procedure procedures proceeds process producer product products
professional profit profits program progress prohibited prohibition project promissory promotion proof properties
property proposal proposed proration protected protection provision provisions public purchase purchaser purchasers
purpose qualified quality quarterly quiet quitclaim radon rate rates rating ratio real realty receipt receiver
receiving recital recitals recommendation recommendations record recorder recorders records recourse recovery
redemption reference refund refusal refusals regards registered registration regulation regulations regulatory
reimbursement related release relief remaining remedies remedy renewal rent rental rents repair repairs replacement
report reporting reports representation representations representative representatives request requests required
requirement requirements research reservation reserve reserves residence resident residential residual resolved
resources respect response responsibilities responsibility restricted restriction restrictions result results
retention return returns revenue revenues review rider riders right rights risk risks road role royalties royalty rule
rules safety salary sale sales sample satisfaction schedule schedules scope seal secretary section sections secured
securities security self seller sellers senior separate service services set settlement severability share shareholder
shareholders shares short signature signatures signed simple sincerely single site small smoking social software
solicitation source space special specific specifications sponsor square staff standard standards start statement
statements status statute statutory step steps stock storage strict structure subcontractor subdivision subject
sublease sublessee sublet subletting submission subordination subrogation subscriber subsection subsidiaries
subsidiary substantial successor successors suit summary supplement supplemental supplier suppliers supply support
surety surrender survey surveys survival suspension table takeaway takeaways tax taxes technical technology temporary
tenancy tenant tenants term termination termite terms territory test therein thing third threshold time timeline title
tort total trade trademark trademarks training transaction transactions transfer transferee transferor transition
travel treasurer treasury trial trust trustee trustees turnover type types uncapped undersigned underwriter
unemployment uniform union unit units unlimited use user users utilities utility vacancy vacation valid valuation
value values vehicle vendor vendors venture verification vice violation void volume waiver walkthrough warrant
warranties warranty waste water website week wherefore whereof withdrawal witness witnesses witnesseth work worker
workers workers' working workplace works written yield zoning
"""
HARD_WORDS = """
ag bv corp gmbh inc llc llp lp ltd na pc plc pllc pty sa
"""
SOFT_WORDS = """
advisors airlines associates association bank brands brothers capital co enterprises foundation group holdings hotels
industries institute insurance laboratories markets partners partnership pharmaceuticals properties realty sons stores
studios systems technologies trust university ventures
"""
TITLES_WORDS = """
dr gov governor hon judge justice miss mr mrs ms prof professor rep sen senator
"""
COURTS_WORDS = """
appeals appellate bankruptcy chancery circuit county district family high juvenile magistrate municipal probate state
superior supreme tax
"""
LINKS_WORDS = """
and de del der la of the van von
"""
NUMBERS_WORDS = """
eight fifth first five four fourth nine one second seven six ten third three two
"""
NO_DEPARTMENT_WORDS = """
apartment applicable appropriate box branch business closing commercial condominium corporate dwelling entire
executive federal first government governmental ground head home housing leased leasing local main management new
office offices other own post principal public regional registered relevant rental residential respective responsible
retail sales same second single storage whole
"""
ORDINARY = frozenset(" ".join([OPENINGS, CALENDAR, PLACES, TERMS]).split())
OPENING = frozenset(OPENINGS.split())
CALENDAR_WORDS = frozenset(CALENDAR.split())
HARD = frozenset(HARD_WORDS.split())
"""Endings that make a company of any word before them."""
SOFT = frozenset(SOFT_WORDS.split())
"""Endings that make a party of a word that is not an ordinary one."""
TITLES = frozenset(TITLES_WORDS.split())
COURTS = frozenset(COURTS_WORDS.split())
"""Words before Court that make it a court's name."""
LINKS = frozenset(LINKS_WORDS.split())
"""Small words inside a name."""
NUMBERS = frozenset(NUMBERS_WORDS.split())
"""Numbers that may begin a name (First Tidal Bank)."""
NO_DEPARTMENT = frozenset(NO_DEPARTMENT_WORDS.split())
"""Words that do not alone make Office, Unit or Authority a department."""
DERIVED = re.compile(
    r"(?:\w{2,}(?:tion|sion|ment|ability|ibility|ness)s?|\w{3,}(?:ances?|ences?|ities|ity|able|ible|ship|ology|ally|ively|ously))"
)
"""Endings that English names seldom have, after a stem that is too long for a name."""


def is_ordinary(word: str) -> bool:
    """Whether a word, in lower case, does not make a name alone."""
    return word in ORDINARY or len(word) < 2 or DERIVED.fullmatch(word) is not None


HEADS = (
    "Department|Dept\\.|Division|Bureau|Office|Committee|Commission|Agency|Directorate|Team|Desk|Council|Authority|Unit"
)
CAPITAL = "A-ZÀ-ÖØ-Þ"
SHORT = "St|Mr|Mrs|Ms|Dr|Jr|Sr|Hon|Prof|Mt|Ft|Gen|Gov|Sen|Rep|Rev|Inc|Corp|Ltd|Co|Bros"
HYPHENED = r"(?:-\w[\w'’]*+(?!\.\d))*+"
"""Further parts of a word, but not the beginning of a decimal number."""
WORD = rf"(?:(?:[A-Z]\.)+|(?:{SHORT})\.|[{CAPITAL}][\w'’]*{HYPHENED})"
SHORT_REST = "|".join(f"(?<={word[0]}){word[1:]}" for word in SHORT.split("|"))
FIRST = rf"[{CAPITAL}](?<![\w'’].)"
REST = rf"(?:(?<=[A-Z])\.(?:[A-Z]\.)*|(?=[a-z]{{1,3}}\.)(?:{SHORT_REST})\.|[\w'’]*{HYPHENED})"
"""FIRST and REST are a WORD in two parts. A pattern that starts with FIRST is searched for fast, since most letters are
not capitals; a pattern that starts with a look-behind is tried at each character."""
JOIN = r"[ \t]+(?:(?:(?:of|de|la|van|von|der|del)[ \t]+(?:the[ \t]+)?)|&[ \t]+)?"
ENDING = (
    r"(?:LLC|L\.L\.C\.?|Inc|Incorporated|INC|Corp|CORP|L\.P\.?|LP|LLP|L\.L\.P\.?|Ltd|LTD|Limited|PLC|P\.C\.?|PLLC"
    r"|N\.A\.?|Co|GmbH|S\.A\.?)(?!\w)\.?"
)
RUN = re.compile(rf"{FIRST}{REST}(?:(?:{JOIN}{WORD})+(?:,[ \t]+{ENDING})?|,[ \t]+{ENDING})")
OF_WHOM = "Board|Company|Corporation|Landlord|Tenant|Lessor|Lessee|Buyer|Seller|Lender|Borrower|Owner|Employer|Firm"
DEPARTMENT = re.compile(
    rf"{FIRST}(?:(?P<first>(?<=D)(?:epartment|ivision|irectorate)|(?<=B)ureau|(?<=O)ffice|(?<=M)inistry|(?<=C)ommittee)"
    rf"[ \t]+(?:of|on|for)[ \t]+(?:the[ \t]+)?(?!(?:{OF_WHOM})(?!\w)){WORD}"
    rf"(?:(?:,[ \t]+|[ \t]+(?:and[ \t]+|&[ \t]+|of[ \t]+)?)(?!(?:{HEADS})(?!\w)){WORD}){{0,9}}"
    rf"|{REST}(?:(?:,[ \t]+|[ \t]+)(?:(?:and|&)[ \t]+)?{WORD}){{0,7}}?[ \t]+(?P<last>{HEADS})(?!\w)"
    rf"(?!(?:(?<=Department)|(?<=Division)|(?<=Bureau)|(?<=Office))[ \t]+of[ \t]+(?:the[ \t]+)?"
    rf"(?!(?:{OF_WHOM})(?!\w))[{CAPITAL}]))"
)
LOWER_DEPARTMENT = re.compile(
    r"\b(?:the|our|your)[ \t]+(?P<name>[a-z]+(?:[ \t]+(?:and[ \t]+)?[a-z]+)?[ \t]+department)\b"
)
HEAD_HINT = re.compile(
    r"[DBOCATUM](?:epartment|ept\.|ivision|ureau|ffice|ommittee|ommission|gency|irectorate|eam|esk|ouncil|uthority|nit"
    r"|inistry)"
)
"""Avoids trying the pattern if none of its words is in the text."""
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
    if normal.starts is not None:
        names = [_placed(name, *normal.original(name.start, name.end)) for name in names]
    return sorted(names, key=lambda name: name.start) if departments.starts else names


def _placed(name: NameMention, start: int, end: int) -> NameMention:
    return name._replace(start=start, end=end)


def _names(text: str, start: int, end: int, common: frozenset[str]) -> Iterator[NameMention]:
    for words in _segments(text, start, end):
        kind = _kind(text, words, common)
        if kind:
            yield _mention(text, kind, words)


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
        elif (word in OPENING and word not in NUMBERS) or word in CALENDAR_WORDS:
            yield from _trimmed(text, words)
            words = []
        else:
            if word in TITLES and len(words) > 1:
                yield from _trimmed(text, words)
                words = []
            words.append((word, first, last))
            if word in HARD and len(words) > 1:
                yield from _trimmed(text, words)
                words = []
    yield from _trimmed(text, words)


def _tokens(text: str, start: int, end: int) -> Words:
    return [(word, start + first, start + last) for word, first, last in tokens(text[start:end])]


def _trimmed(text: str, words: Words) -> Iterator[Words]:
    """Without links at either end, and without a first word whose capital only opens the sentence."""
    while words and words[0][0] in LINKS:
        words = words[1:]
    while words and words[-1][0] in LINKS:
        words = words[:-1]
    if len(words) > 2 and words[1][0] not in LINKS and _only_opens(text, words[0]):
        words = words[1:]
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
        return None
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
    for match in DEPARTMENT.finditer(text) if HEAD_HINT.search(text) else ():
        if match[0].isupper():
            continue
        words = _tokens(text, match.start(), match.end())
        while words and (words[0][0] in OPENING or words[0][0] in LINKS):
            words = words[1:]
        if not match["first"] and len(words) > 2 and _only_opens(text, words[0]):
            words = words[1:]
        content = [w for w, _, _ in (words[:-1] if match["last"] else words[1:]) if w not in LINKS]
        if content and not all(word in NO_DEPARTMENT for word in content):
            yield _mention(text, "department", words)
    for match in LOWER_DEPARTMENT.finditer(text) if "department" in text else ():
        words = _tokens(text, match.start("name"), match.end())
        if not any(word in NO_DEPARTMENT or word in OPENING for word, _, _ in words[:-1] if word != "and"):
            yield _mention(text, "department", words)


def _only_opens(text: str, first: tuple[str, int, int]) -> bool:
    """Whether a word looks like a verb or an adverb that is capitalised because it opens a sentence."""
    return bool(STARTER.fullmatch(first[0])) and not is_ordinary(first[0]) and opens(text, first[1])
