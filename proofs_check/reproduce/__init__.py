"""The documents' experiments, run again: sweeps of models, and a verdict on each claim."""
