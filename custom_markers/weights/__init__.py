"""Published weights: which there are, where they come from, and what is known of a file of them."""
