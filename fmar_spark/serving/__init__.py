"""What answers over the network: the register of commercial agreements, its rules of access and its ledger. No Spark here."""
