"""One network each: the network itself, its weights, its marker."""
