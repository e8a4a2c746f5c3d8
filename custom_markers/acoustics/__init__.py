"""Acoustic features, the baselines of every network."""
