"""A meter's history becomes a profile: windows, the pass, capability, availability, changes, verdicts. No Spark here."""
