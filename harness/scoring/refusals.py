"""Tells a refusal from an answer, by its words. Knows not whether refusing was right."""

import re

from harness.scoring.normal import plain

CANNOT = r"(?:cannot|can ?not|can'?t|could not|couldn'?t|am (?:not able|unable)|'m (?:not able|unable)|won'?t|will not)"
REFUSAL = re.compile(
    r"\W*(?:(?:sorry|apologies|unfortunately|regrettably|as an? (?:ai|language model|assistant)[^.,]{0,60}"
    r"|i(?:'m| am) (?:really |very )?sorry|i apologi[sz]e|my apologies)\b[,.:; -]*(?:but )?(?:for [^.,]{0,60}[,. ]+)?)?"
    rf"(?:i(?: am|'m)?\s*{CANNOT}|i (?:do not|don'?t) (?:know|have|feel)|i must (?:decline|refuse)"
    r"|i(?:'d| would) rather not"
    r"|(?:it is|it's) (?:not possible|impossible) to (?:say|tell|answer|determine)|(?:unable|not able) to\b"
    r"|(?:this|the|your) question cannot be answered|i decline\b)",
    re.I,
)


def refuses(text: str) -> bool:
    """Whether an answer opens with words that decline to answer."""
    opening = plain(text[:300]).replace("’", "'")
    return bool(REFUSAL.match(opening))
