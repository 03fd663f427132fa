"""Evidence: signed statements, the ledger that keeps them, and their verification.

Import from the modules: `verify` (checks; stands alone), `statement`, `envelope`, `keys`,
`ledger` (with `merkle` and `store`) and `bundle` (what a dossier carries).
"""
