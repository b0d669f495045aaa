"""An excerpt of a made-up handbook, with the guidelines and departments that the whole of it has."""

DOCUMENT = """Staff handbook of Harlow Quays (excerpt)
Guideline 2.1 (Parking). At most 6 spaces are kept for visitors. The Premises Office hands out the permits.
Guideline 4.2 (Night trains). A berth is paid up to $45 a night. The Claims Team settles it. See also Guideline 4.7.
Guideline 4.3 (Shifts). Drivers may swap 4 shifts a month and shop staff 8. The Rota Office keeps the list.
Departments: Claims Team; Premises Office; Rota Office; Pay & Systems Team; Harlow Board Office"""
IDS = "2.1; 2.4; 4.2; 4.3; 4.7"
DEPARTMENTS = "Claims Team; Premises Office; Rota Office; Pay & Systems Team; Harlow Board Office"
