"""Kinetics that the simulated plant and the twin share. Pure: numpy only."""
