"""Keyword floor: one regular expression per clause type.

Every expression has the wording of common forms for the clause. None was fitted to the cases.
"""

import re

from harness.schema import Case

PATTERNS = {
    "due on sale": r"due[- ]on[- ](?:sale|transfer)"
    r"|\b(?:sell|sold|sale|convey|transfer)\w*\b.{0,120}\b(?:due|in full|declare|demand|whole|entire)\b",
    "assignment of rents": r"\bassign\w*\b.{0,60}\b(?:rents?|leases)\b|\b(?:rents?|leases)\b.{0,60}\bassign\w*",
    "acceleration": r"\baccelerat\w*"
    r"|\b(?:entire|whole|full|all)\b.{0,80}\b(?:immediately due|due and payable|at once)\b"
    r"|\bdefault\b.{0,100}\b(?:entire|whole|full|all)\b",
    "cancellation": r"\bcancel\w*|\bsatisf(?:ied|action)\b|\breleas\w+\b.{0,30}\brecord\b|\breconvey\w*",
    "insurance": r"\binsur(?:e|ed|ance|ing)\b|\bliability coverage\b|\bpolicy\b",
    "attorney's fees": r"\battorneys?'?s?'? fees?\b|\blegal (?:fees|costs|expenses?)\b"
    r"|\b(?:pay|reimburse|recover)\w*\b.{0,60}\b(?:attorneys?|counsel|lawyers?)\b",
    "earnest money": r"\bearnest money\b|\bgood[- ]faith\b|\bdeposit\b|\bescrow\b",
    "prorations": r"\bpro-?rat\w*|\bapportion\w*|\btaxes\b.{0,60}\b(?:adjust|divid|allocat|shar|split)\w*",
    "risk of loss": r"\brisk of loss\b|\bcasualty\b|\b(?:damage|destr)\w*\b.{0,80}\b(?:closing|terminate|cancel)\b"
    r"|\b(?:before|prior to|until) closing\b.{0,80}\b(?:damage|destr|fire)\w*",
    "time of the essence": r"\bof the essence\b|\bstrict(?:ly)?\b",
    "as-is": r"\bas[- ]is\b|\bwhere[- ]is\b|\ball faults\b|\bpresent condition\b|\bno (?:warranty|representation)",
    "anti-assignment": r"\b(?:assign|subl|transfer)\w*\b.{0,80}\b(?:consent|approv|permission)\w*"
    r"|\b(?:not|neither|no)\b.{0,30}\b(?:assign|sublet|sublease|transfer)\w*",
    "indemnity": r"\bindemni\w*|\bhold\w*\b.{0,20}\bharmless\b",
    "holdover": r"\bhold(?:ing|s)?[- ]?over\b|\bat sufferance\b|\bremain\w*\b.{0,20}\bpossession\b"
    r"|\bmonth[- ]to[- ]month\b|\bafter\b.{0,30}\b(?:expir|terminat)\w*.{0,60}\brent\b",
    "subordination": r"\bsubordinat\w*|\battorn\b|\bSNDA\b|\bnon-?disturbance\b",
    "power of sale": r"\bpower of sale\b|\bsell\b.{0,120}\b(?:auction|courthouse|highest bidder|outcry)\b",
    "future advances": r"\b(?:future|further|additional|later) (?:advances?|loans?|sums)\b"
    r"|\bother (?:debts?|indebtedness)\b",
    "prepayment": r"\bprepa(?:y|id)\w*|\bpa(?:y|id)\b.{0,40}\b(?:early|ahead|before (?:it is|they are) due)\b",
    "tax and insurance escrow": r"\bescrow\w*\b.{0,80}\b(?:tax|premium)\w*|\b(?:one-)?twelfth\b|\bimpound",
    "late charge": r"\blate (?:charge|fee|payment)\b|\bmore than .{0,20}\bdays? (?:late|past due|overdue)\b",
    "condemnation": r"\bcondemn\w*|\beminent domain\b|\btak(?:en|ing)\b.{0,60}\bpublic\b",
    "financing contingency": r"\bfinanc\w*.{0,60}\bconting\w*"
    r"|\b(?:loan|financing)\b.{0,120}\b(?:terminate|cancel|withdraw)\w*",
    "inspection": r"\binspect\w*|\bdue diligence\b",
    "title objections": r"\bobjections?\b.{0,60}\btitle\b|\btitle\b.{0,60}\bobject\w*",
    "liquidated damages": r"\bliquidated damages?\b|\bforfeit\w*",
    "closing costs": r"\bclosing costs?\b|\btransfer tax\b|\b(?:recording|closing) (?:fees?|attorney)\b",
    "brokerage": r"\bbroker\w*|\bcommissions?\b",
    "security deposit": r"\bsecurity deposit\b|\bdeposit\b",
    "renewal option": r"\brenew\w*|\boption to extend\b|\bextend\b.{0,40}\bterm\b",
    "rent increase": r"\brent\b.{0,80}\b(?:increas|rise|escalat|adjust)\w*|\bconsumer price\b",
    "right of entry": r"\benter\b.{0,60}\b(?:premises|home|unit|apartment|house)\b|\bentry\b",
    "early termination": r"\bearly termination\b|\btenant may (?:end|terminate|cancel)\b",
    "estoppel certificate": r"\bestoppel\b",
    "permitted use": r"\b(?:permitted|sole) use\b|\bused? (?:only|solely|for no other)\b|\bpurposes?\b",
    "repair": r"\brepair\w*|\bmaintain\w*|\bmaintenance\b|\bgood order\b|\bupkeep\b",
}
"""By clause type; a type is answered when its expression is found."""

COMPILED = {name: re.compile(pattern, re.I | re.S) for name, pattern in PATTERNS.items()}


def keyword_floor(case: Case) -> str:
    """Return the clause types asked about whose words are in the text, in the suite's answer format."""
    asked = case.input["clause_types"].split("; ")
    return "; ".join(name for name in asked if COMPILED[name].search(case.document)) or "none"
