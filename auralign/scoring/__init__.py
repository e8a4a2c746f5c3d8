"""Scores of predictions, noise ceilings, and which score is read first."""
