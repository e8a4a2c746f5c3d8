"""The command `auralign`: every subcommand is a thin call of the library, and `scripts/` calls the same functions."""
