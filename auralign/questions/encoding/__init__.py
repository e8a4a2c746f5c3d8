"""Encoding: how well every layer predicts every response, by cross-validated regression."""
