"""Dispatch events and declared volumes from files: checked by named rules, brought to one format, staged for the lake."""
