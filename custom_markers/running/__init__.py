"""What happens around a run of junifer: checks before it, storing, what is skipped, errors in plain words."""
