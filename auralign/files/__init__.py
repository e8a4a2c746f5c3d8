"""How files are read whatever is in them: tables, arrays, YAML, names, checksums."""
