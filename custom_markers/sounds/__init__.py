"""Files of sounds: read, checked for completeness and presence, described."""
