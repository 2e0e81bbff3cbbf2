"""Bytes and files from outside become judged rows, and rows with faults."""
