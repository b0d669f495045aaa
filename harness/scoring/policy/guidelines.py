"""Score answers about a handbook of numbered guidelines: ids, departments, values, and whether they decline.

A case has `document` (a title line, then guidelines, each a paragraph or a line that begins with its id), `question`,
and the handbook's whole register, also what the document does not show: `guidelines` and `departments`, separated by
";". `expected` lists what a right answer states: ids ("Guideline 4.2", "HR-4.12"), departments and values ("$45",
"6 days"). If the handbook has no answer, it is empty, or one sentence that declines; with such a sentence after other
parts, the handbook answers half of the question, and the answer must give that half and decline the rest.

The input `answer` may hold a right answer in words, which the model does not see: what it names is supported. An answer
that opens with a yes where it opens with a no, or the other way round, is `contradictory` there; questions with an
alternative (", or who decides?") have no such side. So is what an answer denies in the right answer's words: "you do
not receive $45" for "you receive $45".

An id or department outside the register is `invented`. An id of the register that the case does not expect is
`misgrounded`, and so is a department that neither the case nor the lines of the expected ids name; so is any if the
handbook has no answer. A figure is `ungrounded` if it is not the expected one of its unit, or, with none expected, not
in those lines. What a declining clause names, and what follows "not" or "rather than", is `unclaimed`, unless it is
invented and the question does not name it. A claim is `contradictory` if the lines of the ids that are expected or
cited say the opposite, or of a figure the right answer, in whatever words: at most for at least, after for before, a
week for a month, each for together, unpaid for paid; and of a word may for must or for may not (`contradictions`).

Further true statements do no harm (`further`): once an answer has stated the expected value as its own, other values of
the handbook are `unclaimed`, and one section that it sets aside or explains stays `misgrounded`, but leaves it right.

What an answer concludes from silence is an answer: "the handbook does not mention a waiver, so you pay the fee".

Other meaning is not checked: a right id cited for a wrong reason is right. An answer that declines may report what the
handbook has instead (`described`): "it only gives drivers 3 days", or, before it declines, "Rule 9 gives drivers 3
days". With another value or id it counts as an answer; a referral ("ask the Rota Office", "the Rota Office may know")
does no harm.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple

from msgspec import structs

from harness.schema import Case, Completion, Score, Span
from harness.scoring.base import RangeSet, make_span, ratios, scorer, whole_length
from harness.scoring.policy.contradictions import Contradiction, contradictions, denials, reversals
from harness.scoring.policy.further import BOLD_END, described, explained, harmless
from harness.scoring.policy.handbook import (
    ExpectedAnswer,
    Guideline,
    HandbookQuestion,
    figures_of,
    guidelines_of,
    number_of,
    read_question,
    value_of,
)
from harness.scoring.policy.register import LABEL, HandbookMention, departments_in, ids_in
from harness.scoring.text.normalize import Normal, normalise, plain
from harness.scoring.text.quantities import Figure
from harness.scoring.text.refusals import clauses, is_declining, lower

SAYS = r"\b(?:guideline 1|handbook|it|they|that)\W*(?:\([^)]*\)\W*)?(?:(?:also|do|does) )*"
ONLY = r"(?:just|merely|only)"
GIVES = r"(?:(?:ask|cap|give|grant|limit|list|mention|require|say|set|state|tell|want)s?|allows?|fix(?:es)?)\b"
SCOPE = re.compile(
    rf"{SAYS}(?:{ONLY} {GIVES}|(?:{ONLY} )?(?:(?:concern|cover|describe|explain|govern|mention|regulate)s?"
    r"|(?:discuss|address)(?:es)?|deals? with"
    r"|is (?:only )?about|appl(?:y|ies) only|is limited to|speaks? of)\b(?! (?:it|that|this)\b))"
    r"|\bleaves? (?:it|that|this|(?:the|their|your|his|her)(?: \w+){1,3})\b.* to\b|\bis left to\b"
    r"|\b(?:refers?|points?) (?:you |this |it )?to\b|\b(?:settles?|governs?|decides?) (?:it|that|this)\b"
    r"|\b(?:settled|governed|decided|set) (?:by|in) (?:a|an|the|your|their)\b|(?:\bnot|n't) (?:apply|bind|covered by)\b"
    r"|\b(?:an?other|separate|(?:their|your) own) (?:agreement|contract|letter|paper|policy|schedule)\b"
)
"""What a declining answer says of a section that it names: what it covers instead, or to what paper it leads."""
RULE = re.compile(rf"{SAYS}{GIVES}|\bguideline 1 (?:about|on)\b")
"""What it may report of a section before it declines: "Rule 9 gives drivers 3 days, so yours are not stated"."""
HAS_NONE = re.compile(r"\bthere (?:is|are) no\b")
"""Beside a section whose rule the question made up."""
SILENT = re.compile(
    r"(?:^|\b(?:handbook|guideline 1|it|rules?|sections?) )(?:fix(?:es)?|gives?|mentions?|names?|provides?|sets?"
    r"|specif(?:y|ies)|states?) no\b(?! (?:limit|cap|exception|maximum))|\b(?:i|we) (?:(?:can|could) find no\b"
    r"|(?:(?:can|could) )?(?:find|found|saw|see) (?:no (?:answer|guideline|information|mention|rule|section|word)"
    r"|nothing (?:about|on))\b)"
    r"|(?<!is )\bnothing (?:in (?:(?:the|this|these) \w+|guideline 1) )?(?:about|on)\b"
    r"|\b(?:guideline 1|it)(?:'s| is| remains| stays) silent\b"
    r"|^\W*(?:it |guideline 1 )?(?:do|does)(?: not|n't) (?:clarify|discuss|explain|settle|define|indicate)\b"
    r"|\b(?:handbook|text|guideline 1) has nothing\b"
    r"|\bguideline 1 (?:is not|isn't|does ?n[o']t(?: seem to)?) (?:among|appear|exist|here|in|part of|there)\b"
    r"|\b(?:they|neither)(?: of \w+)?(?: do(?: not|n't))? "
    r"(?:(?:address|discuss)(?:es)?|(?:cover|give|mention|say|state|tell)s?)\b"
    r"|\b(?:that|this|it) (?:is not|isn't) covered\b(?! by)"
    r"|\bno (?:amount|answer|charge|cost|fee|figure|length|number|period|price|rate)\b(?! (?:above|below|beyond))"
    r"(?: [\w-]+){0,5} (?:fixed|given|listed|mentioned|named|specified|stated)\b"
    r"|\bno(?: [\w-]+){1,3} (?:is|are) (?:listed|mentioned|named|specified|stated)\b"
)
"""Words of a clause that declines, where the handbook has no answer or half of one."""
NOT_IT = re.compile(r"(?:(?<!or )\bnot|\brather than|\binstead of)\s+(?:(?:the|an?)\s+(?:\w+\s+)?)?$")
"""Before what an answer names only to exclude it."""
RATE_ASKED = re.compile(
    r"\bhow (?:many|much) (?:[a-z]+ )?(?P<rate>(?:an?|per|each|every) (?:hour|day|week|month|quarter|year))\b"
)
NO_MORE = re.compile(
    r"\b(?:add|address|cover|give|mention|say|settle|specif(?:y|ie)|state|tell)s?\s+(?:any(?:thing)?\s+|nothing\s+)?"
    r"(?:more|else|further|otherwise|the rest)\b"
)
"""Ends an answer: "the handbook does not say more"."""
REDIRECT = re.compile(
    r"(?<!need not )(?<!not need to )(?<!not have to )"
    r"\b(?:(?:ask|contact|consult)(?:ing)?|(?:check|confirm|clarify|raise)(?:ing)?(?: (?:it|this|that))? with"
    r"|(?:speak|talk)(?:ing)? (?:to|with)|(?:turn|refer)(?:ring|ing)? to|(?:reach|find)(?:ing)? out"
    r"|(?:can|could|may|might) (?:also |surely |be able to )*(?:advise|clarify|confirm(?! that)|help|know|tell you)"
    r"|give (?:the )?(?:\w+ ){1,4}a call|get in touch with|look (?:it|that|this) up"
    r"|should (?:be able to (?:advise|answer|clarify|confirm|help|say|tell)|know)|try (?:the|your)"
    r"|best (?:bet|contact|people|person|place))\b"
)
SO = r"(?:so|therefore|thus|hence|consequently|accordingly|which means|(?:this|that) means|meaning)"
CONCLUSION = re.compile(
    rf"(?:^|[,;:(–—-]\s*|\band\s)\W*(?:and )?{SO}\b(?! (?:that|far|long|much|many)\b)(?P<so>.+)"
    r"|(?<!say )(?<!says )(?<!state )(?<!states )\bso\s(?=(?:you|the|it|there|this|no|all|they|we)\b)(?P<plain>.+)"
    r"|^\W*(?:since|because|as|given that)\b[^,]*,(?P<since>.+)"
    r"|^(?P<why>\W*\w.*?),?\s(?:since|because|as the|given that)\b"
)
"""What a clause concludes, also from what the handbook does not say."""
CONTRAST = re.compile(r"(?:^\W*|\b)(?:but|however|although|though|while|whereas)\s+$")
STILL = re.compile(r"\W*(?:however|still|nevertheless|nonetheless|but)\b")
NO_CONCLUSION = re.compile(
    r"\b(?:i|we) (?:can ?not|can't|am unable|do not know|don't know)\b|\b(?:unclear|unknown|uncertain|unanswered)\b"
    r"|\b(?:no answer|(?:is|remains) open)\b|\bcan ?not be (?:answered|determined|told|said|known)\b"
    r"|\b(?:contains|lists|mentions|names|states) no\b"
)
"""What an answer may add to a declining clause: that nothing follows, or who may know."""
SECTIONS = re.compile(
    r"\b(?:(?:the|these|those|given|provided|above|excerpted|quoted) )+(?:sections|rules|regulations|provisions)\b"
    r"(?: (?:provided|given|shown|above))?|\b(?:the|this|that) section\b(?! \W?\d)"
)
"""What stands for the handbook in an answer that declines."""
OPENING = r"\W*(?:(?:the )?answer\W+(?:is\W+)?)?"
YES = r"(?:yes|yeah|yep|certainly|absolutely|of course)\b"
AFFIRMED = re.compile(rf"{OPENING}(?:{YES}|(?:that|this|it) is (?:allowed|permitted)\b)")
"""A clause that answers a question with yes."""
SIDE = re.compile(
    rf"{OPENING}(?:(?P<no>no(?=\s*(?:[^\w\s]|$))|not (?:yet|until)\b|(?:certainly|absolutely|of course) not\b)"
    rf"|(?P<yes>{YES}))"
)
"""An opening that takes a side, in lower case; "no fee is due" takes none."""
ALTERNATIVE = re.compile(r",\s+or\b")
"""In a question that cannot be answered with yes or no alone."""
WORD = re.compile(r"\w")
ID_MASK = "\0"
IDS = re.compile(rf"(?:{LABEL}\s*)?{ID_MASK}+")
REASONS = {
    "supported": "the right answer, or its guideline, states it",
    "misgrounded": "the handbook has it, but it does not support an answer to this question",
    "invented": "the handbook has none of this name or number",
    "ungrounded": "not the value in the right guideline",
    "contradictory": "the right guideline says the opposite",
    "unclaimed": "named to decline or to exclude it, repeated from the question, or true and not asked",
}
UNCLAIMED = {"verdict": "unclaimed", "reason": REASONS["unclaimed"]}
START = attrgetter("start")
COMPARED = ("limit", "side", "rate", "extent", "pay")
"""Aspects of contradictions in which an answer is compared with the right one, too."""
UNCOUNTED = re.compile(r"\W*(?:$|\n)|\s*[^\w\s-]|\s+(?:of|are|is|will|would|can|may|if|when|under)\b")
"""After a number that is not followed by what it counts."""
EXCLUDABLE = ("supported", "misgrounded", "ungrounded")
LOOK_BACK = 24
"""Characters before a name or figure in which a "not" is searched for."""
WRONG = ("misgrounded", "invented", "ungrounded", "contradictory")
METRICS = ratios(
    "guidelines",
    {
        "answer_correct = correct": "Share of questions answered right, or rightly declined.",
        "guideline_recall = hits / expected_ids": "Share of the right guidelines that are cited.",
        "guideline_precision = hits / cited": "Share of the guidelines cited that are right.",
    },
    fewer={
        "invented_guideline_rate = invents_guideline": "Share of answers citing a guideline that does not exist.",
        "invented_department_rate = invents_department": "Share of answers naming a department that does not exist.",
        "misgrounded_rate = misgrounds": "Share of answers citing a real guideline that does not support them.",
        "contradiction_rate = contradicts": "Share of answers that say the opposite of their guideline.",
        "answered_unanswerable_rate = answered_unanswerable / unanswerable": "Share of the questions without an answer "
        "in the handbook that were not declined.",
        "refusal_rate = refused / answerable": "Share of the questions with an answer that were declined.",
    },
)


Labelled = tuple[str, Span]
"""An id's number, a department's official name, a figure's unit and value, or what is contradicted; and its span."""


class AnswerClause(NamedTuple):
    """One clause of an answer in normal form and lower case, with each of the handbook's ids as `guideline 1`."""

    start: int
    end: int
    clause: str
    declining: bool
    aside: bool
    """Whether another clause of the answer declines."""


@scorer(metrics=METRICS, name="guidelines")
def answered(case: Case, completion: Completion) -> Score:
    """Compare what an answer cites, names and states with the expected parts and the register.

    It is right with every expected part and nothing wrong; or declined, without a yes, if
    there is no answer. An answer that is empty, failed or cut at the token limit is never right. A failed one counts
    against every rate.
    """
    question = read_question(case)
    text = completion.text
    if completion.finish_reason == "error":
        return _score(question.expected, [], declined=not question.expected.answerable, right=False, failed=True)
    normal = normalise(text)
    is_silent = question.expected.declines_rest or not question.expected.answerable
    parts = _parts(normal.text, ids_in(normal.text, question.register), is_silent=is_silent)
    judged = _judge(case, completion, question, normal, parts)
    declines = any(part.declining and not NO_MORE.search(part.clause) for part in parts)
    if declines and not question.expected.answerable:
        last = max(part.start for part in parts if part.declining)
        reports = [
            each for each in parts if SCOPE.search(each.clause) or (each.start < last and RULE.search(each.clause))
        ]
        further = described(case, question, text, judged, [normal.original(*each[:2]) for each in reports])
    else:
        further = harmless(case, question, text, judged)
    judged = [(label, structs.replace(span, **UNCLAIMED) if span in further else span) for label, span in judged]
    claims = any(span.verdict != "unclaimed" for _, span in judged)
    affirmed = any(AFFIRMED.match(part.clause) for part in parts)
    declined = declines and not claims and not affirmed and not _concludes(parts)
    right = declined if not question.expected.answerable else _states_all(case, question, judged, text)
    if question.expected.declines_rest:
        right = right and any(part.declining for part in parts)
    whole = completion.finish_reason == "stop" and bool(text.strip())
    return _score(question.expected, judged, declined=declined, right=whole and right, blank=not text.strip())


def _parts(text: str, ids: Iterable[HandbookMention], *, is_silent: bool) -> list[AnswerClause]:
    """The clauses of a text; an id such as "S-12" is read as the number of a guideline in what declines."""
    low = lower(text)
    split = []
    for start, end, clause in clauses(_masked(BOLD_END.sub(r"\2\1", low), ids, ID_MASK)):
        read = SECTIONS.sub("the handbook", IDS.sub("guideline 1", clause.replace("*", "")))
        split.append((start, end, read, is_declining(read) or (is_silent and _is_silent(read))))
    any_declines = any(declining for *_, declining in split)
    return [AnswerClause(*clause, aside=any_declines and not clause[-1]) for clause in split]


def _is_silent(clause: str) -> bool:
    """Whether a clause declines where the handbook has no answer; what it has not is what a section has not."""
    return bool(SILENT.search(clause)) or is_declining(clause.replace("guideline 1", "the handbook"))


def _masked(text: str, ids: Iterable[HandbookMention], mask: str) -> str:
    """A text with a character in place of each of those of its ids."""
    masked = list(text)
    for item in ids:
        masked[item.start : item.end] = mask * (item.end - item.start)
    return "".join(masked)


def _asked_rates(case: Case) -> list[str]:
    """The expected figures with the unit of time that the question asks for: "how many days a week"."""
    asked = RATE_ASKED.search(lower(plain(case.input["question"])))
    return [f"{plain(value)} {asked['rate']}" for value in case.expected if figures_of(value)] if asked else []


def _concludes(parts: Sequence[AnswerClause]) -> bool:
    """Whether an answer takes more than a redirection from what the handbook does not say, or sets it against that."""
    silent = False
    for at, part in enumerate(parts):
        turned = CONTRAST.search(parts[at - 1].clause) if at else None
        drawn = CONCLUSION.search(part.clause) if silent or part.declining else None
        said = [drawn[drawn.lastgroup or 0]] if drawn else []
        if part.declining and turned and turned.start() == 0:  # "Although the handbook does not say, it is waived."
            said.append(part.clause.partition(",")[2])
        elif silent and not part.declining and (turned or STILL.match(part.clause)):
            said.append(part.clause)
        if any(WORD.search(one) and not _adds_nothing(one) for one in said):
            return True
        silent = part.declining
    return False


def _adds_nothing(said: str) -> bool:
    """Whether words beside a declining clause redirect, tell the scope of a section, or decline themselves."""
    return is_declining(said) or any(pattern.search(said) for pattern in (REDIRECT, SCOPE, NO_CONCLUSION))


def _judge(
    case: Case, completion: Completion, question: HandbookQuestion, normal: Normal, parts: Sequence[AnswerClause]
) -> list[Labelled]:
    """Judge each id, department, figure and contradiction of an answer, in order of appearance."""
    ids = list(ids_in(normal.text, question.register))
    named = [*ids, *departments_in(normal.text, question.register, case.document.partition("\n")[0])]
    taken = RangeSet((item.start, item.end) for item in named)
    relied_on = _lines(case.document, question, [item.label for item in ids])
    words = _masked(normal.text, ids, " ")
    right = plain(case.input.get("answer", ""))
    found: list[tuple[Contradiction, tuple[int, int] | None]] = [
        (each, each.opposite[:2]) for each in contradictions(words, [(line.start, line.text) for line in relied_on])
    ]
    found += [(each, None) for each in contradictions(words, [(0, right)]) if each.aspect in COMPARED]
    found += [(each, None) for each in reversals(words, [right, *_asked_rates(case)])]
    opposed = {
        HandbookMention(*each.claim[:2], each.aspect, f"{each.aspect} {each.claim.value}", False): source
        for each, source in found
        if taken.add(*each.claim[:2])
    }
    named_bare = {number_of(value): value_of(figures_of(value)[0]) for value in case.expected if figures_of(value)}
    figures = [
        HandbookMention(each.start, each.end, each.kind, _label(each, normal.text, named_bare), False)
        for each in figures_of(normal.text)
        if taken.is_free(each.start, each.end)
    ]
    limit, low = whole_length(completion), lower(normal.text)
    denied = RangeSet(_denials(case, normal.text))
    judged, at = list(_side(case, completion, normal, low)), 0
    for item in sorted([*named, *opposed, *figures], key=START):
        start, end = normal.original(item.start, item.end)
        if end <= limit:
            while item.start >= parts[at].end:
                at += 1
            part = parts[at]
            if part.declining and item.kind not in VERDICTS:
                continue
            verdict, source = (
                ("contradictory", opposed[item])
                if item in opposed
                else VERDICTS.get(item.kind, _figure)(case.document, question, item, part)
            )
            if verdict in EXCLUDABLE and NOT_IT.search(low, max(0, item.start - LOOK_BACK), item.start):
                verdict = "unclaimed"
            if verdict == "supported" and item.kind != "guideline" and not denied.is_free(item.start, item.end):
                verdict = "contradictory"
            span = make_span(completion.text, start, end, item.kind, verdict, REASONS[verdict], source, case.cluster)
            judged.append((item.label, span))
    return judged


def _label(figure: Figure, text: str, expected: Mapping[str, str]) -> str:
    """Unit and value of a figure; the expected unit of a number that counts nothing: "of 90 hours, 50 are paid"."""
    value = value_of(figure)
    return expected.get(value, value) if figure.kind == "count" and UNCOUNTED.match(text, figure.end) else value


def _denials(case: Case, text: str) -> Iterator[tuple[int, int]]:
    """Yield the clauses that deny what the right answer affirms; if that is a no, its value is often denied rightly."""
    right = case.input.get("answer", "")
    side = SIDE.match(lower(right))
    if not side or side.lastgroup == "yes":
        yield from denials(text, plain(right))


def _side(case: Case, completion: Completion, normal: Normal, low: str) -> Iterator[Labelled]:
    """Yield the opening of an answer that takes the other side than the right answer."""
    own, right = SIDE.match(low), SIDE.match(lower(case.input.get("answer", "")))
    if own and right and own.lastgroup != right.lastgroup and not ALTERNATIVE.search(case.input["question"]):
        start, end = normal.original(*own.span(own.lastgroup or 0))
        kind, reason = "yes or no", f"the right answer is {right.lastgroup}"
        yield kind, make_span(completion.text, start, end, kind, "contradictory", reason, None, case.cluster)


Verdict = tuple[str, tuple[int, int] | None]


def _guideline(document: str, question: HandbookQuestion, item: HandbookMention, part: AnswerClause) -> Verdict:
    line = guidelines_of(document, question.register).get(item.label)
    place = (line.start, line.end) if line else None
    mentioned = item.label in question.mentioned
    if (part.declining or (part.aside and SCOPE.search(part.clause))) and (item.known or mentioned):
        return "unclaimed", place
    if part.aside and mentioned and HAS_NONE.search(part.clause):
        return "unclaimed", place
    if item.label in question.expected.ids:
        return "supported", place
    return ("misgrounded" if item.known or item.label in question.register.chapters else "invented"), place


def _department(document: str, question: HandbookQuestion, item: HandbookMention, part: AnswerClause) -> Verdict:
    if not item.known:
        return ("unclaimed" if part.declining and item.label in question.mentioned else "invented"), None
    at = document.find(item.label)
    place = (at, at + len(item.label)) if at >= 0 else None
    if part.declining or (part.aside and (REDIRECT.search(part.clause) or SCOPE.search(part.clause))):
        return "unclaimed", place
    if item.label in question.granted:
        return "supported", place
    if question.expected.departments:
        return ("supported" if item.label in question.expected.departments else "misgrounded"), place
    for line in _lines(document, question):
        if item.label in line.text:
            at = line.start + line.text.index(item.label)
            return "supported", (at, at + len(item.label))
    return "misgrounded", place


def _figure(document: str, question: HandbookQuestion, item: HandbookMention, part: AnswerClause) -> Verdict:
    value = item.label
    places = (line.figures.get(value) for line in _lines(document, question))
    place = next((place for place in places if place), None)
    if value in question.expected.figures or value in question.granted:
        return "supported", place
    rival = any(figure.split(" ")[0] == value.split(" ")[0] for figure in question.expected.figures)
    if place and not rival:
        return "supported", place
    return ("unclaimed" if value in question.mentioned else "ungrounded"), place


VERDICTS = {"guideline": _guideline, "department": _department}


def _lines(document: str, question: HandbookQuestion, cited: Sequence[str] = ()) -> list[Guideline]:
    """Lines of the guidelines that are expected or cited."""
    shown = guidelines_of(document, question.register)
    return [shown[number] for number in dict.fromkeys((*question.expected.ids, *cited)) if number in shown]


def _states_all(case: Case, question: HandbookQuestion, judged: Sequence[Labelled], text: str) -> bool:
    """Whether an answer states every expected part, and nothing wrong."""
    expected = question.expected
    wrong = {label for label, span in judged if span.verdict in WRONG}
    stated = {label for label, span in judged if span.verdict == "supported"}
    wanted = {*expected.ids, *expected.departments, *expected.figures}
    if not wrong <= explained(case, question, text, judged) or not wanted <= stated:
        return False
    flat = " ".join(plain(text).casefold().split()) if expected.words else ""
    return all(words in flat for words in expected.words)


def _score(
    expected: ExpectedAnswer,
    judged: Sequence[Labelled],
    *,
    declined: bool,
    right: bool,
    blank: bool = False,
    failed: bool = False,
) -> Score:
    """The score; a failed answer counts as one that invents, misgrounds, and declines exactly when it should not."""

    def labels(kind: str, verdict: str) -> list[str]:
        return list(dict.fromkeys(label for label, span in judged if (span.kind, span.verdict) == (kind, verdict)))

    cited = {verdict: labels("guideline", verdict) for verdict in ("supported", "misgrounded", "invented")}
    departments = labels("department", "invented")
    answerable = expected.answerable
    return Score(
        name="guidelines",
        value=float(right),
        extracted={
            "found": cited["supported"],
            "missing": [number for number in expected.ids if number not in cited["supported"]],
            "invented": cited["invented"],
            "misgrounded": cited["misgrounded"],
            "invented_departments": departments,
            "misgrounded_departments": labels("department", "misgrounded"),
            **{
                verdict: [span.quote for _, span in judged if span.verdict == verdict]
                for verdict in ("ungrounded", "contradictory")
            },
        },
        counts={
            "correct": int(right),
            "hits": len(cited["supported"]),
            "expected_ids": len(expected.ids),
            "cited": 1 if failed else sum(map(len, cited.values())),
            "invents_guideline": int(failed or bool(cited["invented"])),
            "invents_department": int(failed or bool(departments)),
            "misgrounds": int(failed or bool(cited["misgrounded"])),
            "contradicts": int(failed or any(span.verdict == "contradictory" for _, span in judged)),
            "unanswerable": int(not answerable),
            "answered_unanswerable": int(not answerable and (failed or not declined)),
            "answerable": int(answerable),
            "refused": int(answerable and (failed or declined or blank)),
        },
        spans=[span for _, span in judged],
    )
