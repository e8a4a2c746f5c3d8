"""A comparison from its inputs to its folder of results: blocks computed and kept, provenance, running again."""
