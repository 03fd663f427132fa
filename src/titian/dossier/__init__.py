"""Requirements held against the ledger, and the pages a reviewer opens first."""
