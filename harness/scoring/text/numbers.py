"""Read numbers without units, in digits or English words, as exact fractions.

The pattern rejects word lists that are not a number ("two, three", "five ten"), and joins "and" only inside one number,
so that "between five and ten" is two numbers.
"""

import re
from fractions import Fraction

UNIT_NAMES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
TEN_NAMES = "twenty thirty forty fifty sixty seventy eighty ninety"
ORDINAL_NAMES = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
    "fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
)
UNITS = {word: value for value, word in enumerate(UNIT_NAMES.split())}
TENS = {word: 10 * value for value, word in enumerate(TEN_NAMES.split(), 2)} | {"fourty": 40}
SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
SHORT_SCALES = {"k": 10**3, "m": 10**6, "mm": 10**6, "mn": 10**6, "bn": 10**9, "b": 10**9}
ORDINALS = {word: value for value, word in enumerate(ORDINAL_NAMES.split(), 1)}
ORDINALS |= {f"twenty-{word}": 20 + ORDINALS[word] for word in list(ORDINALS)[:9]}
ORDINALS |= {"thirtieth": 30, "thirty-first": 31}

PARTS = {
    **{"half": 2, "halve": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "eighth": 8, "tenth": 10},
    **{"twelfth": 12},
}
"""Parts of a whole, without the plural."""

DIGIT = "(?:" + "|".join(list(UNITS)[1:10]) + ")"
BELOW_100 = rf"(?:(?:{'|'.join(TENS)})(?:[\s-]+{DIGIT}\b)?|{'|'.join(sorted(UNITS, key=len, reverse=True))})\b"
SCALE = rf"(?:{'|'.join(SCALES)})\b"
TENS_AND_UNITS = rf"{BELOW_100}(?![\s-]+hundred\b)"
BELOW_1000 = rf"(?:(?:{DIGIT}|an?)[\s-]+hundred\b(?:\s+(?:and\s+)?{TENS_AND_UNITS})?|{TENS_AND_UNITS})"
SCALED = rf"(?:{BELOW_1000}|\ban?)[\s-]+{SCALE}"
WORDS = (
    rf"(?<![\w-])(?:{SCALED}(?:,?\s+{SCALED})*(?:,?\s+(?:and\s+)?{BELOW_1000}(?![\s-]+{SCALE}|\s*/))?"
    rf"|{BELOW_1000})"
    rf"(?:\s+and\s+(?:an?|{DIGIT})[\s-]+(?:{'|'.join(PARTS)})s?\b)?"
)
DIGITS = r"(?:\d{1,3}(?:,\d{3}){1,9}(?!\d)(?:\.\d{1,30})?|\d{1,30}(?:\.\d{1,30})?)(?!\d)"
FRACTION = r"\d{1,3}[/\u2044](?:2|3|4|5|6|8|10|12|16|32|64|100)(?![/\u2044\d])"
WORD = re.compile(r"[a-z]+", re.I)
MIXED = re.compile(rf"\s+and\s+(an?|{DIGIT})[\s-]+({'|'.join(PARTS)})s?$", re.I)


def words_value(words: str) -> Fraction:
    """Return the value of a number in words that `WORDS` matches."""
    total, group = 0, 0
    mixed = MIXED.search(words)
    if mixed:
        top = UNITS.get(mixed[1].lower(), 1)
        return words_value(words[: mixed.start()]) + Fraction(top, PARTS[mixed[2].lower()])
    for word in WORD.findall(words.lower()):
        if word in SCALES:
            total, group = total + (group or 1) * SCALES[word], 0
        elif word == "hundred":
            group = (group or 1) * 100
        elif word != "and":
            group += UNITS.get(word, 0) or TENS.get(word, 0)
    return Fraction(total + group)


def digits_value(digits: str) -> Fraction:
    """Return the value of digits: `1,250`, `4.125`, `3/4`, `1 1/2`. A division by zero is zero."""
    value = Fraction(0)
    for part in digits.replace(",", "").replace("\u2044", "/").split():
        top, _, bottom = part.partition("/")
        value += Fraction(top) / int(bottom) if bottom and int(bottom) else Fraction(0 if bottom else top)
    return value


def step(digits: str, scale: int = 1) -> Fraction:
    """Return the place value of the last digit shown; a whole number always shows at least two digits.

    0.1 for `4.5`, 1 for `7`, 10 for `400`, 100,000 for `1` at a scale of a million. 0 for a fraction.
    """
    digits = digits.replace(",", "")
    if "/" in digits or "\u2044" in digits:
        return Fraction(0)
    if "." in digits:
        return Fraction(scale, 10 ** len(digits.partition(".")[2]))
    whole = str(int(digits) * scale)
    return Fraction(10 ** max(0, min(len(whole) - len(whole.rstrip("0")), len(whole) - 2)))
