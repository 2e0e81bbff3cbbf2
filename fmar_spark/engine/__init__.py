"""All that knows Spark, Arrow and Delta, and nothing of the domain's rules."""
