"""Make the inputs of the stored study: features of three layers and of one, six responses in three repetitions."""

from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).parent


def main() -> None:
    """Write net.tsv, plain.csv, y.tsv and targets.tsv beside this file."""
    random = np.random.default_rng(11)
    stimuli = [f"stim{n}_sound" for n in range(3, 123, 3)]
    latent = random.standard_normal((40, 6))

    def table(values, prefix):
        columns = [f"{prefix}{number}" for number in range(values.shape[1])]
        return pd.DataFrame(np.round(values, 5), columns=columns).assign(stimulus=stimuli)

    layers = [
        table(latent @ random.standard_normal((6, 10)) + (0.3 + 0.4 * layer) * random.standard_normal((40, 10)), "u")
        for layer in range(3)
    ]
    layers = [of_layer.assign(layer=number) for number, of_layer in enumerate(layers)]
    pd.concat(layers).to_csv(HERE / "net.tsv", sep="\t", index=False)
    table(latent[:, :4] + 0.5 * random.standard_normal((40, 4)), "b").to_csv(HERE / "plain.csv", index=False)
    y = latent @ random.standard_normal((6, 6))
    repetitions = [table(y + 0.8 * random.standard_normal(y.shape), "v").assign(repetition=k) for k in range(3)]
    pd.concat(repetitions).sample(frac=1.0, random_state=1).to_csv(HERE / "y.tsv", sep="\t", index=False)
    targets = {"target": [f"v{number}" for number in range(6)], "subject": ["s1", "s1", "s2", "s2", "s3", "s3"]}
    pd.DataFrame(targets | {"roi": ["a", "b"] * 3}).to_csv(HERE / "targets.tsv", sep="\t", index=False)


if __name__ == "__main__":
    main()
