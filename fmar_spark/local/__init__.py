"""The engine on one machine without Spark: for frames in a notebook, and for a user's own files."""
