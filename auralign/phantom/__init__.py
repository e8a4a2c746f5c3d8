"""The built-in synthetic study."""
