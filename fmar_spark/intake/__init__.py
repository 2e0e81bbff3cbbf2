"""Bytes and files from outside become checked rows, and rows with faults."""
