"""Whisper's encoder (Radford et al. 2022, arXiv 2212.04356): log-mel front end, network, OpenAI's checkpoints."""
