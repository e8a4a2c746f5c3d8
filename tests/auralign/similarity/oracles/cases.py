"""Arrays that the measures are tried on, drawn alike wherever they are needed."""

import numpy as np


def cases() -> dict[str, list[np.ndarray]]:
    """Draw representations, repeated responses, stacks of RDMs (with and without ties) and populations of units."""
    random = np.random.default_rng(0)
    representations = [random.standard_normal((8, 5)), 3.0 + random.standard_normal((9, 30))]
    signal = random.standard_normal((7, 6))
    repetitions = [
        signal[:, :, None] + random.standard_normal((7, 6, 3)) * np.linspace(0.5, 2.0, 6)[:, None],
        random.standard_normal((6, 40, 2)) + 10.0,
    ]
    rdms = [random.uniform(0, 2, (2, 28)), random.uniform(0, 2, (3, 28))]
    tied = [random.integers(0, 3, (2, 28)).astype(float), random.integers(0, 4, (2, 28)).astype(float)]
    spectrum = 1.0 / np.sqrt(np.arange(1, 41))
    mixed = [
        (random.standard_normal((n, 40)) * spectrum) @ random.standard_normal((40, q)) for n, q in ((30, 50), (12, 200))
    ]
    return {
        "representations": representations,
        "repetitions": repetitions,
        "rdms": rdms,
        "tied_rdms": tied,
        "populations": mixed,
    }
