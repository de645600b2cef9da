"""The ledger: one entry per statement of the five documents."""
