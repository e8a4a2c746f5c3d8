"""How alike two representations of the same stimuli are: measures on arrays [stimulus, unit], for any two of them."""
