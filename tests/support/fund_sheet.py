"""A fact sheet of two made-up funds, and reports scored against it."""

from harness.schema import Case, Score
from harness.scoring.base import run
from harness.scoring.finance import report
from tests.support.answers import answer

DOCUMENT = """Fact sheet
entity | period | metric | unit | value
Cedar Loft Income Fund | Q2 2025 | net income | USD thousands | (1,240)
Cedar Loft Income Fund | Q1 2025 | net income | USD thousands | 980
Cedar Loft Income Fund | Q2 2025 | rental revenue | USD thousands | 3,420
Cedar Loft Income Fund | Q1 2025 | rental revenue | USD thousands | 3,110
Cedar Loft Income Fund | Q2 2025 | occupancy rate | percent | 94.1
Cedar Loft Income Fund | Q1 2025 | occupancy rate | percent | 92.1
Cedar Loft Income Fund | Q2 2025 | total return | percent | (2.3)
Cedar Loft Income Fund | Q2 2025 | net asset value | USD millions | 57.3
Cedar Loft Income Fund | Q2 2025 | expense ratio | basis points | 85
Cedar Loft Income Fund | Q2 2025 | rating | name | Hallam A+
Cedar Loft Growth Fund | Q2 2025 | rental revenue | USD thousands | 2,750
Cedar Loft Growth Fund | Q2 2025 | occupancy rate | percent | 88.4
Cedar Loft Growth Fund | Q2 2025 | rating | name | Hallam B+
Orchard 70 Index | Q2 2025 | total return | percent | 1.9
Required statements:
- These figures are unaudited / No audit was made of these figures
- Units may lose value
"""
QUESTION = "Report on Cedar Loft Income Fund: rental revenue in Q2 2025 and in Q1 2025, and the percent change."
STATED = " These figures are unaudited. Units may lose value."
RIGHT = (
    "Cedar Loft Income Fund had rental revenue of $3.42 million in Q2 2025, against $3.11 million in Q1 2025, a rise "
    "of 10.0%." + STATED
)
IN = "Cedar Loft Income Fund"


def scored(text: str, *, reason: str = "stop", question: str = QUESTION, expected: str = RIGHT, **tags: str) -> Score:
    case = Case(
        id="x", input={"document": DOCUMENT, "question": question}, expected=[expected], cluster="sheet-1", tags=tags
    )
    return run([report.report], case, answer(text, reason)).fact_sheets
