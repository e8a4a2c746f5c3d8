"""What two studies published, read safely: responses, activations, results, and the figures to hold a run against.

Tuckute, Feather, Boebinger & McDermott 2023 (PLoS Biology) and the study of EnCodecMAE that follows it (tp-picml).
Everything is joined by id, never by position, and nothing is read with plain pickle: `unpickler` says what is admitted.
"""
