"""Recipes of datasets, and how their files come and go: DataLad, git-annex, downloads, archives."""
