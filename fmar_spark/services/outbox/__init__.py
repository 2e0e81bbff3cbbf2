"""Sends notices to the webhooks of their recipients: signed, and again until they are received."""
