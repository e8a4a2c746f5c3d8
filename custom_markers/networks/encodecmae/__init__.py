"""EnCodecMAE (Pepino, Riera and Ferrer 2023, arXiv 2309.07391): front ends, network and checkpoints."""
