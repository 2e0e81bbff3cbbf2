"""Electric vehicle charging."""
