"""A seeded fleet of meter points with known assets: a demonstration, a training set and a test bed, never a model of anyone."""
