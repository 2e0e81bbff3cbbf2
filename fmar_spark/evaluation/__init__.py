"""Accuracy of a lake: its answers against labels, in figures, as text and as one offline page."""
