"""Network files and capacity registers become checked rows, and rows with faults."""
