"""One offline page about a lake: the fleet in figures, and for single meters the evidence behind each answer."""
