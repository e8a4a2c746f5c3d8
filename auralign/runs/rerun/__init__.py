"""Results that can be computed again: inputs and what changed, verification, studies as datasets, RO-Crate."""
