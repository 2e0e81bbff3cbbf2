"""What may be set: frozen sections with defaults, overlaid by YAML and by --set."""
