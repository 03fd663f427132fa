"""What `titian verify` prints."""

from __future__ import annotations

from titian.cli.verify import report_lines
from titian.evidence.verify import Check, Report


def test_a_flood_of_faults_does_not_hide_where_it_began():
    flood = [Check("numbers", False, "is not in the ledger", f"line {n}") for n in range(2_200)]
    first = Check("ledger", False, "not strict JSON", "ledger.json")
    lines = report_lines(Report("x", (first, *flood), (), True))
    assert lines == [
        "FAILED ledger   ledger.json: not strict JSON",
        *(f"FAILED numbers  line {n}: is not in the ledger" for n in range(10)),
        "FAILED numbers  and 2,190 more; --json names them all",
        "NOT verified",
    ]
