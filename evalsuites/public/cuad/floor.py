"""Keyword floor: one regular expression per category.

Written from CUAD's description of each category and from common wording; not fitted to the suite's cases.
"""

import re

from harness.schema import Case

PATTERNS = {
    "governing law": r"\bgovern(?:ed|ing)\b.{0,60}\blaws?\b|\blaws? of\b.{0,80}\b(?:govern|control)"
    r"|\bconstrued\b.{0,60}\blaws of\b",
    "anti-assignment": r"\b(?:not|neither|no|without)\b.{0,100}\bassign(?:ed|ment|able|s)?\b"
    r"|\bassign(?:ed|ment|able|s)?\b.{0,120}\b(?:consent|approval|void)\b",
    "expiration date": r"\bterm of this\b|\b(?:initial|original) term\b"
    r"|\b(?:continue|remain)\w*\b.{0,40}\b(?:in (?:full )?(?:force|effect)|until|for)\b|\bexpir(?:e|es|ation)\b",
    "renewal term": r"\brenew(?:s|ed|al|als|able)?\b|\bsuccessive\b|\bextend(?:s|ed)?\b.{0,40}\b(?:term|period|year)",
    "renewal notice": r"\b(?:renew|exten[ds]|successive)\w*\b.{0,250}\b(?:days|months)\b.{0,60}\b(?:before|prior|adv)"
    r"|\b(?:renew|exten[ds]|successive)\w*\b.{0,250}\bnotice\b.{0,120}\b(?:days|months)\b"
    r"|\bnotice\b.{0,120}\b(?:not|intent\w*)\b.{0,30}\brenew",
    "termination for convenience": r"\b(?:without|for any|for no|or no) (?:cause|reason)\b|\bfor convenience\b"
    r"|\bterminat\w+\b.{0,60}\bat any time\b|\bat any time\b.{0,60}\bterminat",
    "exclusivity": r"\bexclusiv(?:e|ely|ity)\b(?! jurisdiction)"
    r"|\bsole(?:ly)? (?:supplier|provider|source|distributor)\b",
    "first refusal": r"\bfirst (?:refusal|offer|negotiation|opportunity|option)\b|\bright to match\b",
    "change of control": r"\bchange (?:of|in) (?:the )?(?:control|ownership)\b"
    r"|\b(?:merge[rs]?|consolidat\w+|acquired)\b",
    "revenue sharing": r"\broyalt(?:y|ies)\b|\b(?:percent|%).{0,80}\b(?:revenues?|sales|profits?|receipts)\b"
    r"|\b(?:share|portion) of\b.{0,30}\b(?:revenues?|profits?)\b|\bcommission",
    "minimum commitment": r"\bminimum\b.{0,60}\b(?:purchase|order|amount|quantit|royalt|pay|commit|volume|fee|sales)"
    r"|\bat least\b.{0,60}\b(?:units|per (?:year|month)|purchase)|\bno (?:less|fewer) than\b",
    "post-termination services": r"\b(?:upon|after|following|event of)\b.{0,60}\b(?:expir|terminat)\w*\b.{0,250}"
    r"\b(?:shall|will|may|must)\b|\bwind[- ]?down\b|\bsell[- ]off\b|\btransition (?:services|period)\b",
    "audit rights": r"\baudit(?:s|ed|or|ors|ing)?\b"
    r"|\b(?:inspect|examine)\w*\b.{0,60}\b(?:books|records|premises|facilit)"
    r"|\b(?:books|records)\b.{0,120}\b(?:inspect|examin|audit)",
    "liability cap": r"\bliab(?:le|ility)\b.{0,200}\b(?:exceed|limited|consequential|indirect|incidental|punitive"
    r"|special)\b|\b(?:consequential|incidental|punitive) (?:or|damages)\b|\b(?:aggregate|total|maximum) liability\b",
    "uncapped liability": r"\b(?:except|excluding|other than|shall not apply|nothing)\b.{0,200}"
    r"\b(?:liab|consequential|negligence|damages)|\blimitations?\b.{0,60}\bnot apply\b",
    "insurance": r"\binsur(?:e|ed|ance|er|ers|ing)\b",
}
"""By category; a category is answered when its expression is found."""

_COMPILED = {name: re.compile(pattern, re.I | re.S) for name, pattern in PATTERNS.items()}


def keyword_floor(case: Case) -> str:
    """Return the categories whose words are in the passage, in the suite's answer format."""
    return "; ".join(name for name, pattern in _COMPILED.items() if pattern.search(case.document)) or "none"
