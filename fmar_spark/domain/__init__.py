"""The field's words: identifiers and the closed lists of values that tables store."""
