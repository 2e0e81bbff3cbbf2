"""From evidence to calibrated probabilities: features, training, calibration, scoring and the model registry."""
