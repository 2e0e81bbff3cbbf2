"""A user's own readings from CSV, Parquet or Delta: checked row by row, resampled to half-hours."""
