"""Demand response."""
