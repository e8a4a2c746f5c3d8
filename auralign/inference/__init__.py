"""Tests, intervals and corrections, on plain arrays."""
