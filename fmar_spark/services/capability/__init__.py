"""The read API: what the engine derived, to each audience what is theirs, over HTTP and as pages."""
