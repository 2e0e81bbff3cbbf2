"""A seeded fleet of meter points with known assets: for demonstration, training and tests; it models no real person."""
