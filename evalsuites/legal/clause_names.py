"""The names that lawyers use for the clause types of `legal/instruments`, besides those that the suites ask for."""

from collections.abc import Iterable

OTHER_NAMES = """
due on sale: due on transfer; alienation
assignment of rents: assignment of leases; assignment of leases and rents; assignment of rents and leases; assignment
  of rents and profits
acceleration: acceleration of maturity; acceleration of debt
cancellation: satisfaction; reconveyance; defeasance; release on payment
power of sale: nonjudicial foreclosure; power to sell
future advances: additional advances; further advances; open-end; dragnet; cross-collateral; cross-collateralization
prepayment: prepayment penalty; prepayment premium; prepayment fee; prepayment privilege; early payment
tax and insurance escrow: escrow; escrow account; escrow deposits; tax escrow; insurance escrow; escrow for taxes and
  insurance; escrow for taxes and insurance premiums; impound; impound account; tax and insurance impound; tax and
  insurance reserve; tax and insurance deposits
late charge: late fee; late payment; late payment charge; late payment fee; late payment penalty; late penalty
insurance: hazard insurance; property insurance; fire insurance; casualty insurance; liability insurance; renter's
  insurance; insurance coverage
condemnation: eminent domain; public taking; condemnation award
repair: repair and maintenance; maintenance and repair; upkeep
attorney's fees: attorney fees; legal fees; legal costs; legal expenses; lawyer's fees; counsel fees
time of the essence: time is essential; punctual performance; timely performance
indemnity: indemnities; indemnification; hold harmless; indemnity and hold harmless
earnest money: good faith deposit; good faith money
prorations: apportionment; tax proration; proration of taxes; proration of rents
risk of loss: casualty; casualty loss; loss before closing
as-is: as is condition; as is where is; with all faults; all faults; present condition
financing contingency: financing condition; loan contingency; mortgage contingency
inspection: inspection period; inspection contingency; property inspection; right to inspect; due diligence; due
  diligence period
title objections: title defects; title cure
liquidated damages: stipulated damages; agreed damages
closing costs: closing expenses; settlement costs; transaction costs
brokerage: broker; commission; broker's commission; brokerage commission; broker's fee; real estate commission
anti-assignment: no assignment or subletting; non-assignment; non-assignability; assignment and subletting; assignment
  or subletting; assignment prohibition; assignment restriction; restriction on assignment or subletting; restriction
  on subletting; ban on assignment; ban on assignment or subletting; ban on subletting; prohibition of subletting;
  prohibition of assignment or subletting
holdover: holding over; holdover tenancy; holdover rent; tenancy at sufferance
subordination: subordination and attornment; subordination, non-disturbance and attornment; SNDA; lease subordination
security deposit: deposit; damage deposit; rental deposit
renewal option: renewal; automatic renewal; option to renew; right to renew; lease renewal; option to extend; right to
  extend; extension option
rent increase: rental increase; rent adjustment; rent escalation; rent escalator; escalation; escalator; stepped rent;
  step rent; rent steps
right of entry: entry; landlord's entry; right to enter; landlord's access; right of access
early termination: break clause; break option; termination option; option to terminate; right to terminate; early
  cancellation
estoppel certificate: estoppel; estoppel letter
permitted use: use of premises; use restriction; use limitation; restricted use
"""
"""By type; further lines of a type are indented."""


def other_names(types: Iterable[str]) -> dict[str, str]:
    """Return the clause types by their other names."""
    entries = (entry.partition(": ") for entry in OTHER_NAMES.replace("\n  ", " ").strip().splitlines())
    of = {name: others.split("; ") for name, _, others in entries}
    return {other: name for name in types for other in of.get(name, ())}
