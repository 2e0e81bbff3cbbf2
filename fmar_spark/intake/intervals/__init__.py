"""A user's own readings from CSV or Parquet: judged row by row, resampled to half-hours."""
