"""Table of forms: how people write quantities, dates and what follows from them, each with a near miss."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from harness.schema import Case
from harness.scoring.grounding import figures, joins
from tests.support.answers import answer

BLANK = "___"
GROUNDED = {"supported", "derived", "unclear"}
FLAGGED = {"ungrounded", "contradictory", "mispaired"}


class Form(NamedTuple):
    """A source, an answer with one blank, values that hold in the blank and values that must be flagged."""

    source: str
    answer: str
    holds: list[str]
    wrong: list[str]


# Sources that several groups use.

OPERATIONS = """Statement of Operations ($ thousands)

| | 2023 | 2022 |
|---|---|---|
| Net investment income | 48,215 | 41,907 |
| Management fees | 6,130 | 5,874 |
| Net increase (decrease) in net assets | 71,440 | (12,386) |"""

ASSETS = """Assets under management at quarter end ($M)

Fund                      Q1 2024    Q2 2024
Piedmont Core Bond          312.4      318.9
Savannah Small Cap           87.6       84.1
Total                       400.0      403.0"""

CLASSES = (
    "Share classes of the Piedmont Core Bond Fund\n"
    "Class\tExpense ratio (%)\t12b-1 fee (bps)\tMinimum ($)\n"
    "A\t0.95\t25\t2,500\n"
    "C\t1.70\t100\t2,500\n"
    "I\t0.65\t0\t250,000"
)

BUILDING = """Key terms for the building at 118 Bull Street, Savannah

| Item | Amount |
|---|---|
| Rentable area (sq ft) | 14,250 |
| Base rent per sq ft per year | $21.50 |
| Operating costs (% of base rent) | 18 |
| Parking spaces (#) | 32 |"""

SHELVING = """Quotation for the Valdosta warehouse

| Item | Units | $ per unit |
|---|---|---|
| Steel shelving bay | 40 | 185.00 |
| Anchor kit | 160 | 6.25 |"""

RESULTS = (
    "All amounts are in millions of dollars unless stated otherwise.\n\n"
    "\t2024\t2023\n"
    "Revenue\t1,284.6\t1,190.3\n"
    "Operating margin (%)\t14.2\t13.1\n"
    "Earnings per share ($)\t2.18\t1.94"
)

REGIONS = """| Region | Members (000s) | Deposits ($bn) |
|---|---|---|
| Atlanta metro | 412 | 9.6 |
| Coastal | 138 | 2.9 |"""

LEASE = """LEASE AGREEMENT. The initial term of this Lease is thirty-six (36) months.
Tenant shall pay base rent of $3,450.00 per month, in advance, on or before the fifth (5th) day of each month.
The parties signed this Lease at Macon, Bibb County, Georgia."""

NOTICE = """Resignation. Please give written notice before you leave.
Notice periods run 30 days for hourly staff, 45 for supervisors and 60 for managers."""

PROBATION = "New hires serve a probation period. It lasts 95 days for bakers and 80 days for drivers."

SALES = "Sales at the Augusta plant were $31.7 million in 2023, compared with $28.4 million in 2022."

VACANCY = "The vacancy rate for downtown offices was 4.1% at the end of 2022 and 5.6% at the end of 2023."

SCALES = [
    Form(
        OPERATIONS,
        "Net investment income was ___ in 2023.",
        ["$48.2 million", "$48,215,000", "$48,215 thousand", "$48.215 million"],
        ["$48.9 million", "$48,251,000"],
    ),
    Form(OPERATIONS, "Management fees came to ___ in 2023.", ["$6.13 million", "$6.1 million"], ["$6.31 million"]),
    Form(
        ASSETS,
        "Piedmont Core Bond managed ___ at the end of the second quarter of 2024.",
        ["$318.9 million", "$318.9M", "$319 million"],
        ["$381.9 million", "$318.9 billion"],
    ),
    Form(
        CLASSES,
        "Class A shares of the fund have an expense ratio of ___.",
        ["0.95%", "0.95 percent", "95 basis points"],
        ["0.59%"],
    ),
    Form(
        CLASSES,
        "Class A pays a 12b-1 fee of ___.",
        ["25 basis points", "25 bps", "0.25%"],
        ["35 basis points", "0.35%"],
    ),
    Form(CLASSES, "The minimum investment for Class I is ___.", ["$250,000", "$250K"], ["$205,000"]),
    Form(
        BUILDING,
        "The building offers ___ of rentable space.",
        ["14,250 square feet", "14,250 sq. ft."],
        ["14,520 sq ft"],
    ),
    Form(BUILDING, "Operating costs are ___ of base rent.", ["18%", "eighteen percent"], ["28%"]),
    Form(
        BUILDING,
        "The building comes with ___.",
        ["32 parking spaces", "thirty-two parking spaces"],
        ["37 parking spaces"],
    ),
    Form(BUILDING, "Base rent is ___.", ["$21.50 per square foot per year"], ["$25.10 per square foot per year"]),
    Form(SHELVING, "Each steel shelving bay costs ___.", ["$185", "$185.00"], ["$158"]),
    Form(SHELVING, "Anchor kits are quoted at ___ apiece.", ["$6.25"], ["$6.75"]),
    Form(
        RESULTS,
        "Revenue was ___ in 2024.",
        ["$1,284.6 million", "$1.28 billion"],
        ["$1,248.6 million", "$1.34 billion"],
    ),
    Form(RESULTS, "The operating margin reached ___ in 2024.", ["14.2%", "14.2 percent"], ["14.8%"]),
    Form(RESULTS, "Earnings per share were ___ in 2024.", ["$2.18"], ["$2.81"]),
    Form(REGIONS, "The credit union has ___ in the Atlanta metro region.", ["412,000 members"], ["421,000 members"]),
    Form(REGIONS, "Deposits in the Atlanta metro region stand at ___.", ["$9.6 billion"], ["$8.6 billion"]),
]

RETURNS = """Average annual total return (%), periods ended December 31, 2023

| | 1 year | 3 years |
|---|---|---|
| Class A | (4.37) | 2.15 |
| Benchmark | (3.82) | 2.60 |"""

INCOME = """Year ended June 30, 2024 (in dollars)

Operating income           18,402
Interest expense           (2,975)
Income taxes               (3,610)
Net income                 11,817"""

SAME_STORE = "Same-store sales against the prior year: first quarter 0.6%, second quarter (1.8)%, third quarter 2.3%."

BRACKETS = [
    Form(OPERATIONS, "Net assets ___ in 2022.", ["decreased by $12.4 million"], ["decreased by $12.9 million"]),
    Form(RETURNS, "Over one year Class A ___.", ["lost 4.37%", "returned -4.37%"], ["lost 4.73%", "gained 4.37%"]),
    Form(RETURNS, "The one-year return of the benchmark was ___.", ["-3.82%", "(3.82)%", "negative 3.82%"], ["-3.28%"]),
    Form(INCOME, "Interest expense was ___ for the year.", ["$2,975"], ["$2,795"]),
    Form(INCOME, "Income taxes reduced income by ___.", ["$3,610"], ["$3,160"]),
    Form(SAME_STORE, "Same-store sales ___ in the second quarter.", ["fell 1.8%"], ["fell 8.1%", "rose 1.8%"]),
]

FRACTIONS = [
    Form(
        "Any installment not paid when due bears a late charge of one-half of one percent of the amount due per week.",
        "The late charge is ___ of the amount due per week.",
        ["0.5%", "half a percent", "one-half percent", "50 basis points"],
        ["0.05%", "1.5%"],
    ),
    Form(
        "The bylaws of the Tybee Owners Association may be amended by a vote of three-quarters of the members present.",
        "An amendment needs the votes of ___ of the members present.",
        ["75%", "three-fourths", "3/4", "three quarters"],
        ["two-thirds", "85%"],
    ),
    Form(
        "Non-exempt employees are paid 1 1/2 times their regular rate for all hours worked over forty in a workweek.",
        "Overtime pays ___ the regular rate.",
        ["1.5 times", "one and a half times", "1½ times"],
        ["1.25 times", "two times"],
    ),
    Form(
        "Part-time staff earn two and a half days of sick leave in each calendar quarter.",
        "Part-time staff earn ___ of sick leave per quarter.",
        ["2.5 days", "2 1/2 days", "two and one-half days"],
        ["3.5 days", "2.25 days"],
    ),
    Form(
        "The Advisor receives an annual fee of three-eighths of one percent of average daily net assets.",
        "The Advisor's annual fee is ___ of average daily net assets.",
        ["0.375%", "37.5 basis points"],
        ["0.385%", "3.75%"],
    ),
    Form(
        "At its July meeting the Committee lowered its target rate by three-quarters of a percentage point.",
        "The Committee lowered the target by ___ in July.",
        ["0.75 percentage points", "75 basis points"],
        ["0.25 percentage points", "85 basis points"],
    ),
    Form(
        "The unpaid principal of this Note bears interest at six and one-quarter percent per annum until paid in full.",
        "The note carries interest at ___ a year.",
        ["6.25%", "6 1/4 percent"],
        ["6.4%", "6.75%"],
    ),
    Form(
        "The regular work week for office staff is thirty-seven and one-half hours, Monday through Friday.",
        "Office staff work ___ a week.",
        ["37.5 hours", "37 1/2 hours"],
        ["35.5 hours"],
    ),
    Form(
        "Each driver takes an unpaid meal break of half an hour after the first five hours of a shift.",
        "Drivers get an unpaid meal break of ___.",
        ["30 minutes", "a half hour"],
        ["45 minutes"],
    ),
    Form(
        "The non-competition covenant survives for a year and a half after the Closing within Chatham County.",
        "The covenant lasts ___ after the Closing.",
        ["18 months", "1.5 years", "one and a half years"],
        ["16 months", "2.5 years"],
    ),
    Form(
        "On a default by Purchaser, Escrow Agent shall pay one-third of the Deposit to Broker and the rest to Seller.",
        "On a default the broker receives ___ of the deposit.",
        ["1/3", "a third", "one third"],
        ["one-quarter", "half"],
    ),
]

VACATION = """Paid vacation depends on length of service.
Employees with less than 5 years of service receive 10 days a year,
those with 5 to 10 years receive 15 days, and those with more than 10 years receive 20 days."""

BUDGET = "The city expects the Forsyth Park project to cost between $1.2 and $1.6 million, depending on drainage work."

ELLIPSES = [
    Form(PROBATION, "Probation lasts 95 days for bakers, ___ for drivers.", ["80"], ["85"]),
    Form(NOTICE, "Supervisors must give ___ notice before they leave.", ["45 days'", "forty-five days'"], ["52 days'"]),
    Form(
        NOTICE, "You owe 30 days' notice as an hourly worker, 45 as a supervisor and ___ as a manager.", ["60"], ["65"]
    ),
    Form(
        "In March the bank raised its prime lending rate from 4.25 to 4.75 percent for business borrowers.",
        "Before March the prime lending rate for business borrowers was ___.",
        ["4.25%", "4.25 percent"],
        ["4.35%"],
    ),
    Form(
        BUDGET, "The low end of the estimate for the project is ___.", ["$1.2 million", "$1,200,000"], ["$1.1 million"]
    ),
    Form(BUDGET, "The estimate runs from $1.2 million to ___ million.", ["1.6", "$1.6"], ["1.9", "$1.9"]),
    Form(LEASE, '{"monthly_rent_usd": ___, "term_months": 36}', ["3450", "3450.00", "3,450"], ["3540"]),
    Form(LEASE, '{"monthly_rent_usd": 3450, "term_months": ___}', ["36"], ["39"]),
    Form(LEASE, '{"base_rent": {"amount": ___, "currency": "USD", "period": "month"}}', ["3450"], ["3540"]),
    Form(CLASSES, '{"share_class": "A", "expense_ratio_pct": ___}', ["0.95"], ["0.59"]),
    Form(
        NOTICE,
        "| Role | Notice (days) |\n|---|---|\n| Hourly staff | 30 |\n| Supervisors | ___ |\n| Managers | 60 |",
        ["45"],
        ["54"],
    ),
    Form(SALES, "| Year | Sales ($M) |\n|---|---|\n| 2023 | ___ |\n| 2022 | 28.4 |", ["31.7"], ["37.1"]),
    Form(
        VACATION,
        "Vacation days by length of service:\n- less than 5 years: 10\n- 5 to 10 years: ___\n- more than 10 years: 20",
        ["15"],
        ["18"],
    ),
]

TERM_SHEET = "Term sheet: 36 mo. term, one 5 yr. renewal option, 1,850 sq ft, build-out $40/sq ft, 12 pct. off CAM."

ABBREVIATIONS = [
    Form(
        TERM_SHEET,
        "The initial term is ___.",
        ["36 months", "thirty-six months", "36 mos.", "three years"],
        ["39 months"],
    ),
    Form(TERM_SHEET, "The tenant has one ___ renewal option.", ["five-year", "5-year"], ["six-year"]),
    Form(TERM_SHEET, "The premises measure ___.", ["1,850 square feet", "1,850 sf"], ["1,580 square feet"]),
    Form(TERM_SHEET, "The discount on common area charges is ___.", ["12%", "12 percent", "twelve percent"], ["19%"]),
    Form(TERM_SHEET, "The build-out allowance is ___.", ["$40 per square foot"], ["$48 per square foot"]),
    Form(
        "The revolving facility bears interest at SOFR plus a spread of 175 bps; the unused line fee is 25 bps.",
        "The facility costs ___ above SOFR.",
        ["1.75 percentage points", "175 basis points"],
        ["1.57 percentage points", "185 basis points"],
    ),
    Form(
        "Glynn Memorial, license renewal. # of beds: 120. # of operating rooms: 9. Trauma level: none.",
        "The hospital is licensed for ___.",
        ["120 beds", "one hundred twenty beds"],
        ["102 beds"],
    ),
    Form(
        "Cyber coverage is capped at $250K per claim and $1.5M in the aggregate for the policy year.",
        "The policy pays at most ___ per claim.",
        ["$250,000", "$250 thousand", "$250k"],
        ["$205,000"],
    ),
    Form(
        "Cyber coverage is capped at $250K per claim and $1.5M in the aggregate for the policy year.",
        "In the aggregate the policy pays at most ___.",
        ["$1.5 million", "$1,500,000", "$1.5 mn"],
        ["$5.1 million"],
    ),
    Form(
        "The fund closed the year with net assets of $2.4bn, of which $340mn sits in Georgia municipal bonds.",
        "Net assets were ___ at the end of the year.",
        ["$2.4 billion", "$2,400 million"],
        ["$2.7 billion", "$2.4 million"],
    ),
    Form(
        "The fund closed the year with net assets of $2.4bn, of which $340mn sits in Georgia municipal bonds.",
        "The fund holds ___ of Georgia municipal bonds.",
        ["$340 million", "$0.34 billion"],
        ["$430 million"],
    ),
    Form(
        "Report every spill to the safety desk within 72 hrs. Keep absorbent for spills up to 50 lbs. on each truck.",
        "Spills must be reported within ___.",
        ["72 hours", "seventy-two hours", "three days"],
        ["76 hours"],
    ),
    Form(
        "Report every spill to the safety desk within 72 hrs. Keep absorbent for spills up to 50 lbs. on each truck.",
        "Each truck carries absorbent for ___.",
        ["50 pounds", "fifty pounds"],
        ["55 pounds"],
    ),
    Form(
        "Line cook, full time, $17.25/hr., 10 wks. paid training at the Decatur kitchen, then 2 wks. on the line.",
        "Line cooks earn ___.",
        ["$17.25 an hour", "$17.25 per hour"],
        ["$15.27 an hour"],
    ),
    Form(
        "Line cook, full time, $17.25/hr., 10 wks. paid training at the Decatur kitchen, then 2 wks. on the line.",
        "Training at the Decatur kitchen lasts ___.",
        ["ten weeks", "10 weeks"],
        ["14 weeks"],
    ),
    Form(
        "All that tract of land in Land Lot 214 of Bulloch County, containing 12.6 ac., more or less.",
        "The tract contains about ___.",
        ["12.6 acres"],
        ["16.2 acres"],
    ),
]

DEED = "IN WITNESS WHEREOF, the parties have set their hands and seals this 5th day of March, 2024, at Athens, Georgia."
CLOSING = "Purchase price: $389,000. Binding Agreement Date: 08/14/2025. Closing Date: 09/30/2025."
FILED = "FILED IN OFFICE this thirty-first day of December, two thousand twenty-four, Clerk, Bibb County."
ENROLLMENT = "Open enrollment for health coverage runs from October 1, 2024 through October 25, 2024."

DATES = [
    Form(
        "Unit 12-C, resident file: inspection 6/28/24, keys issued 7/1/24, smoke detector tested 7/9/24.",
        "The keys were issued on ___.",
        ["July 1, 2024", "Jul. 1, 2024", "2024-07-01"],
        ["July 11, 2024", "July 1, 2023"],
    ),
    Form(
        DEED,
        "The deed was signed on ___.",
        ["March 5, 2024", "Mar. 5, 2024", "5 March 2024", "3/5/24", "03/05/2024", "2024-03-05", "march 5, 2024"],
        ["March 6, 2024", "March 5, 2023", "3/15/24", "2024-05-04"],
    ),
    Form(DEED, "The parties signed in ___.", ["March 2024"], ["April 2024"]),
    Form(
        CLOSING,
        "The sale closes on ___.",
        ["September 30, 2025", "Sept. 30, 2025", "30 Sep 2025", "9/30/25"],
        ["September 20, 2025", "9/20/25"],
    ),
    Form(
        "The amended handbook takes effect on JANUARY 1 , 2023 and replaces every earlier edition.",
        "The amended handbook took effect on ___.",
        ["January 1, 2023", "1/1/2023"],
        ["June 1, 2023"],
    ),
    Form(
        "posted to the intranet on july 14, 2023 by the safety desk; replaces the notice of may 2, 2022",
        "The notice was posted on ___.",
        ["July 14, 2023", "14 July 2023"],
        ["July 24, 2023"],
    ),
    Form(
        "Certificate of insurance. Policy eff.: 1 / 15 / 2024. Policy exp.: 12 / 31 / 2024. Insured: Rome Roofing.",
        "The policy expires on ___.",
        ["December 31, 2024", "Dec. 31, 2024"],
        ["December 21, 2024"],
    ),
    Form(
        ENROLLMENT,
        "Open enrollment ends on ___.",
        ["October 25", "Oct. 25", "October 25th"],
        ["October 30", "November 25"],
    ),
    Form(
        FILED, "The papers were filed on ___.", ["December 31, 2024", "12/31/2024"], ["December 21, 2024", "12/31/2023"]
    ),
]

FISCAL = """Harbor Foods, Inc. closes its fiscal year on June 30.

| Period | Net sales ($M) |
|---|---|
| FY25 Q1 (ended September 30, 2024) | 18.2 |
| FY25 Q2 (ended December 31, 2024) | 21.7 |"""

HALF = "For the six months ended June 30, 2024, the Macon branch opened accounts worth $9.3 million."

QUARTERS = [
    Form(
        "For the quarter ended September 30, 2024, the cooperative reported net sales of $4.1 million to its members.",
        "The cooperative's net sales were $4.1 million in ___.",
        ["Q3 2024", "the third quarter of 2024", "3Q24"],
        ["Q2 2024", "the fourth quarter of 2024"],
    ),
    Form(
        "1Q24 fund commentary: the portfolio added two Georgia hospital bonds and sold its airport holding.",
        "The portfolio sold its airport holding in ___.",
        ["the first quarter of 2024", "Q1 2024"],
        ["the fourth quarter of 2024", "Q1 2023"],
    ),
    Form(
        FISCAL,
        "Net sales were $21.7 million in ___.",
        ["Q2 of fiscal 2025", "the second quarter of fiscal year 2025", "the quarter ended December 31, 2024"],
        ["Q3 of fiscal 2025", "the quarter ended March 31, 2025"],
    ),
    Form(FISCAL, "The second fiscal quarter ended on ___.", ["December 31, 2024", "12/31/24"], ["November 30, 2024"]),
    Form(
        "Attendance at the Columbus museum reached 81,400 visitors in FY2024, the most since the museum opened.",
        "The museum had 81,400 visitors in ___.",
        ["fiscal year 2024", "fiscal 2024", "FY24"],
        ["fiscal year 2022", "FY23"],
    ),
    Form(
        HALF,
        "The branch opened accounts worth $9.3 million in ___.",
        ["the first half of 2024"],
        ["the second half of 2024"],
    ),
]

RANGES = [
    Form(
        "An application for a variance is decided between 60 and 90 days after the Planning Office receives it.",
        "Applications are decided within ___.",
        ["60-90 days", "60 to 90 days", "sixty to ninety days"],
        ["60-80 days", "50 to 90 days"],
    ),
    Form(
        "Dispatcher, grade 6. Salary range $45,000\N{EN DASH}$52,500, depending on experience.",
        "A dispatcher is paid from $45,000 to ___ a year.",
        ["$52,500", "$52.5K"],
        ["$55,200"],
    ),
    Form(
        "Driver refresher course: Nov. 4-8, 2024, at the Gainesville depot. Bring your license and medical card.",
        "The course ends on ___.",
        ["November 8, 2024", "Nov. 8", "11/8/24"],
        ["November 9, 2024", "November 18, 2024"],
    ),
    Form(
        "Summer internships run June 3 \N{EN DASH} August 16, 2024, with one unpaid week at the choice of the intern.",
        "Interns start on ___ and finish in August.",
        ["June 3, 2024", "June 3"],
        ["June 13, 2024", "June 3, 2023"],
    ),
    Form(
        "Auditors reviewed the accounts of the development authority for fiscal years 2021-23 and found no exceptions.",
        "The audit covered 2021 through ___.",
        ["2023"],
        ["2024"],
    ),
    Form(
        "Merit increases for satisfactory work are 2 to 4 percent of base pay; outstanding work earns 5%-7%.",
        "Outstanding work earns a raise of ___.",
        ["5 to 7 percent", "5-7%", "between 5% and 7%"],
        ["5 to 9.5 percent", "3.5-7%"],
    ),
]

SALES_TAX = "Every dealer files form ST-3 on or before the twentieth of the month for sales of the month before."
INVOICES = "Invoices are payable on the tenth business day after receipt. We close on the third Monday in January."

ORDINALS = [
    Form(
        LEASE,
        "Rent is due by ___ of each month.",
        ["the 5th", "the fifth", "the fifth day", "the 5th day"],
        ["the 8th"],
    ),
    Form(
        SALES_TAX,
        "The return is due by ___ of the month.",
        ["the 20th", "the 20th day", "the twentieth day"],
        ["the 25th"],
    ),
    Form(INVOICES, "Invoices are due on ___ after receipt.", ["the 10th business day"], ["the 12th business day"]),
    Form(INVOICES, "The office closes on ___ in January.", ["the 3rd Monday"], ["the 2nd Monday", "the second Monday"]),
    Form(
        "Employees receive a service award of $250 on their fifth anniversary with us and $600 on their tenth.",
        "A $250 award is due on an employee's ___.",
        ["5th anniversary"],
        ["7th anniversary", "sixth anniversary"],
    ),
]

BEREAVEMENT = """Section 7. Bereavement. Full-time employees receive five (5) paid days after the death of a parent.
Section 8. Jury duty. Full-time employees receive ten (10) paid days for jury duty."""

DENTAL = """Landlord leases to Peach State Dental LLC the premises at 240 Broad Street, Suite 15, Rome, Georgia 30161.
The term is thirty-six (36) months. Landlord may enter for repairs on two (2) days' notice."""

RETIREMENT = """An employee who has reached age 55 and has ten years of service may retire early.
No person under 16 years of age may work in the warehouse."""

SPILL = """If there is a spill, close the valve and warn people nearby. Then call the safety desk.
Afterwards write a report and send it to the plant manager."""

LABELS_AND_COUNTS = [
    Form(BEREAVEMENT, "Full-time employees receive ___ after the death of a parent.", ["5 paid days"], ["7 paid days"]),
    Form(BEREAVEMENT, "Jury duty is covered for ___.", ["10 paid days"], ["8 paid days"]),
    Form(DENTAL, "The lease runs for ___.", ["36 months"], ["15 months", "240 months"]),
    Form(DENTAL, "Landlord may enter on ___.", ["2 days' notice", "two days' notice"], ["15 days' notice"]),
    Form(
        RETIREMENT,
        "Employees may retire early from ___.",
        ["age 55", "the age of 55", "the age of fifty-five"],
        ["age 65"],
    ),
    Form(
        RETIREMENT,
        "Nobody under ___ may work in the warehouse.",
        ["16", "the age of 16", "sixteen"],
        ["18", "the age of 18"],
    ),
    Form(NOTICE, "1. Hourly staff: 30 days\n2. Supervisors: ___\n3. Managers: 60 days", ["45 days"], ["54 days"]),
]

# Answers in which the blank holds a number that names or counts off something: never a finding.
LABELS = [
    Form(
        "Questions about the 401(k) plan: call the benefits desk at (706) 555-0142, extension 27, or file Form B-12.",
        "For questions about retirement, ___.",
        ["see the 401(k) plan", "call (706) 555-0142", "dial 706-555-0142, ext. 27", "file Form B-12"],
        [],
    ),
    Form(SPILL, "___ Close the valve.\nThen warn people nearby.", ["1.", "(1)", "1)", "Step 1:", "**1.**"], []),
    Form(SPILL, "1. Close the valve.\n2. Warn people nearby.\n___ Call the safety desk.", ["3.", "Step 3:"], []),
    Form(
        BEREAVEMENT, "Under ___, full-time employees receive five paid days.", ["Section 7", "section 7", "Sec. 7"], []
    ),
    Form(
        DENTAL, "The premises are at ___.", ["240 Broad Street", "240 Broad St., Suite 15", "Rome, Georgia 30161"], []
    ),
]

CONTRACT_DATES = "The parties signed the contract on March 4, 2024, and closed the sale of the farm on April 18, 2024."
RENEWAL = """This Agreement ends on December 31, 2025. Either party may decline renewal by written notice at least
ninety (90) days before that date."""

DATE_ARITHMETIC = [
    Form(CONTRACT_DATES, "The sale closed ___ after signing.", ["45 days", "forty-five days"], ["54 days", "40 days"]),
    Form(
        "Tenant gave notice on June 10, 2024. The tenancy ends thirty (30) days after notice is given.",
        "The tenancy therefore ended on ___.",
        ["July 10, 2024", "7/10/2024"],
        ["July 20, 2024", "August 10, 2024"],
    ),
    Form(RENEWAL, "Notice is due by ___.", ["October 2, 2025"], ["September 2, 2025", "October 22, 2025"]),
    Form(
        "The term commences on August 1, 2023 and continues for thirty-six (36) months.",
        "The term ends on ___.",
        ["July 31, 2026"],
        ["July 31, 2025", "June 30, 2026"],
    ),
    Form(
        "This License takes effect on February 15, 2022 and expires three years after its effective date.",
        "The license expires on ___.",
        ["February 15, 2025"],
        ["February 15, 2026", "March 15, 2025"],
    ),
    Form(
        "The hearing officer mailed the decision on May 6, 2024. An appeal must be filed within 2 weeks of mailing.",
        "The last day to appeal is ___.",
        ["May 20, 2024", "May 20"],
        ["May 27, 2024"],
    ),
    Form(
        "The Hendrix family opened the Dalton mill in 1998 and sold it in 2021 to a carpet company.",
        "The family owned the mill for ___.",
        ["23 years", "twenty-three years"],
        ["27 years"],
    ),
    Form(
        "The grant period runs from January 1, 2024 through September 30, 2024.",
        "The grant period is ___ long.",
        ["nine months", "9 months"],
        ["seven months", "11 months"],
    ),
]

CLOSING_FEES = "At signing the buyer pays a $150 application fee and an $85 document fee. Neither is refunded."
PRICES = "The house in Decatur was listed at $412,000. The parties agreed on a price of $397,500."
ALLOCATION = "Asset mix on March 31, 2024: equities 58%, bonds 34%, cash 8%."
DONATIONS = """Donations received in 2023 ($ thousands)

Quarter      Amount
First           120
Second           95
Third           130
Fourth          210"""

SUMS_AND_DIFFERENCES = [
    Form(CLOSING_FEES, "The two fees total ___.", ["$235"], ["$245", "$325"]),
    Form(PRICES, "The agreed price is ___ below the list price.", ["$14,500"], ["$15,400", "$24,500"]),
    Form(
        VACANCY,
        "Between the end of 2022 and the end of 2023 the vacancy rate rose by ___.",
        ["1.5 percentage points", "1.5 points", "150 basis points"],
        ["1.9 percentage points", "1.5 percent", "1.5%", "170 basis points"],
    ),
    Form(ALLOCATION, "Equities and bonds together make up ___ of the fund.", ["92%", "92 percent"], ["96%"]),
    Form(DONATIONS, "Donations for the year totaled ___.", ["$555,000", "$555 thousand"], ["$565,000", "$655,000"]),
    Form(DONATIONS, "Fourth-quarter donations exceeded those of the third by ___.", ["$80,000"], ["$70,000"]),
    Form(
        "Of the 48 eligible employees, 31 enrolled in the dental plan during the spring window.",
        "___ did not enroll in the dental plan.",
        ["17 eligible employees", "Seventeen employees"],
        ["19 eligible employees", "Thirteen employees"],
    ),
    Form(
        "Landlord bears 35% of the cost of replacing the roof and Tenant bears the remainder.",
        "Tenant pays ___ of the cost of a new roof.",
        ["65%", "sixty-five percent"],
        ["75%", "45%"],
    ),
    Form(
        "On December 1, 62% of the apartments in the Brunswick building were leased.",
        "The other ___ of the apartments were not leased.",
        ["38%"],
        ["48%"],
    ),
    Form(
        "Escrow Agent holds $80,000. At closing Escrow Agent releases $52,500 of it to Seller.",
        "After closing ___ remains in escrow.",
        ["$27,500"],
        ["$28,500", "$37,500"],
    ),
]

UNIFORMS = "The district ordered 40 bus driver uniforms at $36.50 each from a supplier in Tifton."

PRODUCTS_AND_SHARES = [
    Form(UNIFORMS, "The uniforms cost ___ in all.", ["$1,460", "$1,460.00"], ["$1,640", "$1,360"]),
    Form(LEASE, "Base rent comes to ___ a year.", ["$41,400"], ["$44,100", "$34,500"]),
    Form(LEASE, "Over the full initial term the tenant pays base rent of ___.", ["$124,200"], ["$142,200"]),
    Form(BUILDING, "Base rent for the whole building is ___ a year.", ["$306,375"], ["$360,375"]),
    Form(SHELVING, "The steel shelving bays cost ___ in total.", ["$7,400"], ["$7,900"]),
    Form(
        "Library pages work 20 hours a week and are paid $16.50 an hour.",
        "A library page earns ___ a week.",
        ["$330"],
        ["$350", "$303"],
    ),
    Form(
        "Seller shall pay Broker a commission of 6% of the purchase price. The purchase price is $385,000.",
        "The commission is ___.",
        ["$23,100"],
        ["$21,300", "$25,100"],
    ),
    Form("The position of zoning clerk pays $54,000 a year.", "The clerk is paid ___ a month.", ["$4,500"], ["$4,800"]),
    Form(
        "Members of the association owe dues of $125 per quarter.", "Dues are ___ a year.", ["$500"], ["$550", "$650"]
    ),
    Form(
        "Of the 24 apartments in the Moultrie building, 18 were rented on June 30.",
        "On June 30, ___ of the apartments were rented.",
        ["75%", "three-quarters"],
        ["65%", "two-thirds", "half"],
    ),
    Form(ASSETS, "Savannah Small Cap made up ___ of total assets in Q1 2024.", ["21.9%", "about 22%"], ["29.1%"]),
    Form(
        "The Macon office employs 90 people and the Albany office 30.",
        "Macon has ___ as many employees as Albany.",
        ["three times", "3 times"],
        ["four times", "2.5 times"],
    ),
]

SURVEY = """Member survey, spring 2024: 2,874 members replied, and 89.4% of them were satisfied with branch service.
Wait times fell to 23 minutes. The error rate was 0.68%."""

ROUNDING = [
    Form(OPERATIONS, "Net investment income was about ___ in 2023.", ["$48 million"], ["$46 million", "$53 million"]),
    Form(OPERATIONS, "Management fees were just over ___ in 2023.", ["$6 million"], ["$7 million"]),
    Form(BUILDING, "The building has roughly ___ of rentable space.", ["14,000 square feet"], ["16,000 square feet"]),
    Form(SURVEY, "Nearly ___ of those who replied were satisfied.", ["90 percent", "90%"], ["80 percent", "95%"]),
    Form(SURVEY, "Approximately ___ members replied.", ["2,900", "2,870"], ["2,700", "3,200"]),
    Form(SURVEY, "More than ___ members replied.", ["2,800"], ["3,000"]),
    Form(SURVEY, "The error rate was ___.", ["0.7%", "0.68 percent"], ["0.9%"]),
    Form(PRICES, "They agreed on just under ___.", ["$400,000"], ["$380,000"]),
    Form(
        "Construction of the Hall County library took 23 months from groundbreaking to opening day.",
        "Construction took almost ___.",
        ["two years", "2 years"],
        ["three years"],
    ),
]

HOLIDAYS = """The company observes these paid holidays:
- New Year's Day
- Memorial Day
- Independence Day
- Labor Day
- Thanksgiving Day
- Christmas Day"""

PACKAGE = """An application package includes: (a) a completed form; (b) a survey of the lot; (c) proof of ownership;
(d) a drainage plan; and (e) the filing fee."""

RETURN_STEPS = """To return equipment:
1. Remove your personal files.
2. Pack the laptop and the charger.
3. Print the label from the portal.
4. Hand the box to the front desk."""

COUNTS = [
    Form(HOLIDAYS, "The company observes ___.", ["six paid holidays", "6 paid holidays"], ["eight paid holidays"]),
    Form(PACKAGE, "The application package has ___.", ["five parts", "5 items"], ["seven parts", "8 items"]),
    Form(RETURN_STEPS, "Returning equipment takes ___.", ["four steps", "4 steps"], ["six steps", "9 steps"]),
    Form(CLASSES, "The fund offers ___.", ["three share classes", "3 share classes"], ["five share classes"]),
    Form(
        "The guaranty was signed by Laura Pruitt, Devon Hale and Oconee Holdings LLC before a notary.",
        "The guaranty was signed by ___.",
        ["three guarantors", "3 signers"],
        ["five guarantors", "6 signers"],
    ),
    Form(
        "The county runs recycling centers in Ringgold, Tunnel Hill, Varnell and Cohutta, open daily.",
        "The county runs ___.",
        ["four recycling centers", "4 recycling centers"],
        ["six recycling centers"],
    ),
]

RENT_INCREASE = "On January 1, 2025 the monthly rent for Unit B rises from $3,450 to $3,588."
HEADCOUNT = "The call center in Warner Robins employed 240 people in 2021 and 300 people in 2023."
DEFAULT_RATE = "The default rate on small business loans went from 5.6% in 2021 to 4.1% in 2023."

CHANGES = [
    Form(
        SALES,
        "Sales at the Augusta plant ___ from 2022 to 2023.",
        ["rose 11.6%", "grew by about 12%", "increased by $3.3 million"],
        ["rose 10.4%", "fell 11.6%", "decreased by $3.3 million", "rose 16.1%"],
    ),
    Form(
        ASSETS,
        "Assets of Savannah Small Cap ___ from Q1 to Q2 2024.",
        ["fell 4.0%", "declined by 4%", "fell by $3.5 million"],
        ["fell 4.2%", "rose 4.0%", "increased by $3.5 million"],
    ),
    Form(
        HEADCOUNT,
        "Headcount ___ from 2021 to 2023.",
        ["grew by 25%", "rose by 60"],
        ["grew by 20%", "fell by 25%", "fell by 60"],
    ),
    Form(
        RENT_INCREASE,
        "The rent for Unit B ___ in January 2025.",
        ["goes up 4%", "rises by $138"],
        ["goes up 3.8%", "falls by $138"],
    ),
    Form(
        DEFAULT_RATE,
        "From 2021 to 2023 the default rate ___.",
        ["fell by 1.5 percentage points", "dropped 1.5 points"],
        ["rose by 1.5 percentage points", "fell by 1.5 percent", "fell by 2.5 percentage points"],
    ),
    Form(VACANCY, "In relative terms, the vacancy rate ___ in 2023.", ["rose 36.6%", "rose about 37%"], ["rose 26.8%"]),
]

HOURS = "The tag office in Thomasville is open from 8:30 a.m. to 5:00 p.m., Monday through Friday."
NIGHT = "The night crew works from 10:00 p.m. to 6:00 a.m. Overtime must be approved by the plant manager beforehand."

TIMES = [
    Form(HOURS, "The office is open ___ a day.", ["8.5 hours", "eight and a half hours", "8 1/2 hours"], ["9.5 hours"]),
    Form(HOURS, "The office opens at ___.", ["8:30 AM", "8:30 a.m.", "8:30am"], ["8:00 a.m.", "9:30 AM"]),
    Form(HOURS, "The office closes at ___.", ["5 p.m.", "5pm", "17:00", "five o'clock"], ["6 p.m.", "16:00"]),
    Form(NIGHT, "The night shift is ___ long.", ["eight hours", "8 hours"], ["nine hours", "12 hours"]),
    Form(
        "Bank tellers at the Newnan branch take lunch from 12:15 p.m. to 1:00 p.m. in two groups.",
        "The lunch break lasts ___.",
        ["45 minutes", "forty-five minutes"],
        ["55 minutes", "30 minutes"],
    ),
    Form("The crew comes between 1 and 3 p.m. on Friday.", "It comes at ___.", ["1 p.m.", "13:00"], ["1 a.m."]),
    Form(HOURS, "The office is open from ___ p.m.", ["8:30 to 5", "8:30 to 5:00"], ["9:30 to 5:00"]),
    Form(
        "The crew comes from 1:00 p.m. to 3:00 p.m. on Friday.",
        "It comes between ___ p.m.",
        ["1:00 and 3:00", "1 and 3"],
        ["2:00 and 3:00"],
    ),
]

EXAMPLES = [
    Form(
        CLASSES,
        "For example, on an investment of ___ in Class A, the expense ratio of 0.95% applies every year.",
        ["$10,000", "$7,000"],
        [],
    ),
    Form(CLASSES, "The minimum investment for Class A is ___.", ["$2,500"], ["$7,000"]),
    Form(
        CLASSES,
        "For example, if you invest $10,000 in Class A, you pay ___ a year at an expense ratio of 0.95%.",
        ["$95"],
        ["$85", "$950"],
    ),
    Form(
        "Non-exempt employees are paid 1 1/2 times their regular rate for all hours worked over forty in a workweek.",
        "For instance, someone whose regular rate is $20 an hour earns ___ an hour for overtime.",
        ["$30"],
        ["$35", "$24"],
    ),
    Form(SHELVING, "Suppose you order 300 anchor kits: at $6.25 each they would cost ___.", ["$1,875"], ["$1,785"]),
    Form(SHELVING, "The quotation covers ___.", ["160 anchor kits"], ["310 anchor kits"]),
    Form(
        "New hires serve a probation period of 90 days, counted from the date of hire.",
        "Say you are hired on March 1, 2025: your probation ends on ___.",
        ["May 30, 2025"],
        ["June 30, 2025", "May 10, 2025"],
    ),
    Form(
        "Seller shall pay Broker a commission of 6% of the purchase price at closing.",
        "If, for example, the house sells for $200,000, the commission is ___.",
        ["$12,000"],
        ["$14,000"],
    ),
]

DEPOSITS = """Marta Ellis, as Seller, shall deposit $5,000 for repairs.
Coastal Homes LLC, as Buyer, shall deposit $12,500 as earnest money."""

CHARGES = """4.1 Late payment. Tenant shall pay a charge of $75 for each late payment of rent.
4.2 Returned checks. Tenant shall pay a charge of $35 for each returned check."""

JOINS = [
    Form(
        ASSETS,
        "Savannah Small Cap held ___ at the end of Q2 2024.",
        ["$84.1 million"],
        ["$318.9 million", "$87.6 million"],
    ),
    Form(OPERATIONS, "Management fees were ___ in 2022.", ["$5.874 million"], ["$6.13 million", "$41.907 million"]),
    Form(CLASSES, "The expense ratio of Class C is ___.", ["1.70%", "1.7%"], ["0.65%", "0.95%"]),
    Form(RESULTS, "Revenue was ___ in 2023.", ["$1,190.3 million"], ["$1,284.6 million"]),
    Form(SALES, "Sales at the Augusta plant were ___ in 2022.", ["$28.4 million"], ["$31.7 million"]),
    Form(PROBATION, "- Bakers: 95 days\n- Drivers: ___", ["80 days"], ["95 days"]),
    Form(NOTICE, "A supervisor must give ___ notice.", ["45 days'"], ["60 days'", "30 days'"]),
    Form(DEPOSITS, "The Seller deposits ___.", ["$5,000"], ["$12,500"]),
    Form(DEPOSITS, "Coastal Homes LLC deposits ___.", ["$12,500"], ["$5,000"]),
    Form(DEPOSITS, '{"seller_deposit": "$5,000", "buyer_deposit": "___"}', ["$12,500"], ["$5,000"]),
    Form(CHARGES, "Each returned check costs the tenant ___.", ["$35"], ["$75"]),
    Form(CHARGES, "Section 4.1 sets a charge of ___ for late rent.", ["$75"], ["$35"]),
    Form(REGIONS, "| Region | Members |\n|---|---|\n| Coastal | ___ |", ["138,000"], ["412,000"]),
]

# Tables and sentences as annual reports and handbooks write them.

RENTALS = """| | 2023 | 2022 |
|---|---|---|
| | (inthousands) | |
| Rental income | $41,207 | $38,655 |
| Interest expense | $(9,312) | $ (8,770) |
| Land | $(3,040) | $(1,985) |"""
SUBSCRIPTIONS = """                    Years ended March 31,
                    2023            2022
                    (In thousands, except percentages)
Subscriptions       $61,348         $55,102
Services            $12,876         $13,415"""
BY_SOURCE = """What the museum earned, and from which of its sources, in the years that ended on June 30 (in thousands):

| | 2023 |
|---|---|
| Tickets | 7,312 |
| Shop | 4,149 |

Tickets were 63.8% of it."""
NOTES = """NOTES TO THE STATEMENTS (in thousands, except for units)

Up to $15,000 may be drawn. The bank answers within 10 business days."""
SHIFTS = """You may keep 24 credit hours. The form takes 5-10 mins. The largest number of hours in a day is 12.

| **Day** | **Hours** |
|---|---|
| Monday | 9 |
| **Total** | **38** |

Whoever leaves early owes the annual fee."""
LOANS = """Loan  Property            Rate (%)   Balance   LTV (%)
A-11  Tannery Wharf           8.94    41,260      61.3

Movement in the quarter ($ thousands)

Opening balance          163,842
Repayments                (8,913)"""
REPORTED = [
    Form(LOANS, "It began with ___ of loans.", ["$163.8 million"], ["$168.3 million"]),
    Form(LOANS, "It received ___ in repayments.", ["$8.9 million", "$8,913 thousand"], ["$9.8 million"]),
    Form(
        RENTALS,
        "Rental income was ___ in 2023.",
        ["$41.2 million", "$41,207 thousand"],
        ["$42.1 million", "$412 million"],
    ),
    Form(RENTALS, "Interest came to ___.", ["$9.31 million", "$9,312 thousand"], ["$9.13 million"]),
    Form(SUBSCRIPTIONS, "In fiscal 2023 subscriptions brought ___.", ["$61.3 million"], ["$63.1 million"]),
    Form(SUBSCRIPTIONS, "The year before it was ___ for services.", ["$13.4 million"], ["$14.3 million"]),
    Form(SHIFTS, "At most ___ are kept.", ["24 hours"], ["26 hours"]),
    Form(SHIFTS, "Nobody works over ___ in a day.", ["12 hours"], ["13 hours", "12 days"]),
    Form(SHIFTS, "The week in the example has ___.", ["38 hours"], ["37 hours"]),
    Form(SHIFTS, "The form takes up to ___.", ["ten minutes"], ["twenty minutes"]),
    Form(SHIFTS, "Whoever leaves early owes ___'s fee.", ["one year"], ["two years"]),
    Form(BY_SOURCE, "Tickets brought ___.", ["$7.31 million", "$7,312 thousand"], ["$7.13 million", "$73.1 million"]),
    Form(BY_SOURCE, '{"share_of_tickets": ___}', ["0.638", "63.8"], ["0.683", "68.3"]),
    Form(NOTES, "Up to ___ may be drawn.", ["$15 million", "$15,000"], ["$16 million"]),
    Form(NOTES, "They answer within about ___.", ["two weeks", "10 business days"], ["three weeks"]),
    Form(
        "Guests were counted in 2023. On August 22 the rating fell.", "It fell in ___.", ["August 2023"], ["July 2023"]
    ),
]

GROUPS = {
    "reported": REPORTED,
    "scales": SCALES,
    "brackets": BRACKETS,
    "fractions": FRACTIONS,
    "ellipses": ELLIPSES,
    "abbreviations": ABBREVIATIONS,
    "dates": DATES,
    "quarters": QUARTERS,
    "ranges": RANGES,
    "ordinals": ORDINALS,
    "labels and counts": LABELS_AND_COUNTS,
    "date arithmetic": DATE_ARITHMETIC,
    "sums and differences": SUMS_AND_DIFFERENCES,
    "products and shares": PRODUCTS_AND_SHARES,
    "rounding": ROUNDING,
    "counts": COUNTS,
    "changes": CHANGES,
    "times": TIMES,
    "examples": EXAMPLES,
    "joins": JOINS,
}


NOT_READ = frozenset(Path(__file__).with_name("forms_not_read.txt").read_text("utf-8").splitlines())
"""Forms that the scorer gets wrong today; one that it learns to read must leave the list."""


def row(column: str, group: str, form: Form, value: str):
    """Return the parameter of one value of a form."""
    name = f"{group}: {form.answer.replace(BLANK, f'<{value}>')}".replace("\n", " / ")
    known = [pytest.mark.xfail(strict=True, reason="not read yet")] if f"{column} | {name}" in NOT_READ else []
    return pytest.param(form, value, id=name, marks=known)


def rows(column: str, groups: dict[str, list[Form]]) -> list:
    """One parameter (form, value) for each value in a column of the forms."""
    listed = groups.items()
    return [
        row(column, group, form, value) for group, forms in listed for form in forms for value in getattr(form, column)
    ]


def verdicts(form: Form, value: str) -> set[str]:
    """Verdicts on the spans that overlap the value filled into the answer."""
    before, after = form.answer.split(BLANK)
    text = before + value + after
    start, end = len(before), len(before) + len(value)
    case = Case(id="x", input={"document": form.source, "question": ""}, expected=[], cluster="c")
    return {
        span.verdict
        for span in (*figures.judge(case, answer(text)), *joins.judge(case, answer(text)))
        for match in re.finditer(re.escape(span.quote), text)
        if match.start() < end and start < match.end()
    }


@pytest.mark.parametrize(("form", "value"), rows("holds", GROUPS))
def test_a_figure_that_a_person_finds_in_the_source_is_grounded(form: Form, value: str) -> None:
    found = verdicts(form, value)
    assert found and found <= GROUNDED


@pytest.mark.parametrize(("form", "value"), rows("wrong", GROUPS))
def test_a_near_miss_is_flagged(form: Form, value: str) -> None:
    assert verdicts(form, value) & FLAGGED


@pytest.mark.parametrize(("form", "value"), rows("holds", {"labels": LABELS}))
def test_a_number_that_names_something_is_no_finding(form: Form, value: str) -> None:
    assert not verdicts(form, value) & FLAGGED
