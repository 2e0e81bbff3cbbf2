"""Numbers in, numbers out: a whole batch of meters at a time, no Spark, no pandas, no settings, no logging."""
