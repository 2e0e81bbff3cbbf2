"""The flexible-asset register: what every GB connection can do, derived from its meter."""

__version__ = "0.1.0"
