"""The register of commercial agreements: its API, its ledger, its database."""
