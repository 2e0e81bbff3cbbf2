"""Solar PV."""
