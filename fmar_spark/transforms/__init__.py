"""Pure frame in, frame out: no action, no session."""
