"""Faults of the simulated plant: catalogue, scenarios, effects, and the truth."""
