"""What `auralign.ridge` and `auralign.lasso` are built from, and their siblings: banded ridge, joint lasso."""
