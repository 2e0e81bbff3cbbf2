"""Every table declared once: columns, units, meaning, key, rules and sensitivity."""
