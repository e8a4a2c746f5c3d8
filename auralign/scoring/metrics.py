"""The scores that a comparison can be read by, and which of them is the primary one: decided here and nowhere else."""

from typing import Literal, cast

from ..errors import ConfigError

Metric = Literal["r2", "r2_corr", "r2_corr_c", "r2_corr_c2"]
# in the order in which tables have them
METRICS = ("r2_corr", "r2", "r2_corr_c2", "r2_corr_c")
# divided by the reliabilities of responses and predictions, which takes repetitions
CORRECTED = ("r2_corr_c2", "r2_corr_c")
# what a score is a share of, said aloud
SHARE_OF = {
    "r2_corr": "the variance",
    "r2": "the variance",
    "r2_corr_c2": "the explainable variance",
    "r2_corr_c": "the explainable variance",
}
MEANING = {
    "r2_corr": "the squared correlation of prediction and response on the test stimuli (0 where negative)",
    "r2": "the coefficient of determination on the test stimuli",
    "r2_corr_c2": "the squared correlation of prediction and response on the test stimuli, corrected for noise",
    "r2_corr_c": "the squared correlation of prediction and response on the test stimuli, corrected for noise as "
    "published",
}


def primary_metric(wanted: str, corrected: bool) -> Metric:
    """Return the metric by which a comparison is read.

    Parameters
    ----------
    wanted : "auto" or a metric
        `metric` of the configuration.
    corrected : bool
        Whether there are noise-corrected scores: responses with repetitions, and `noise_correction` not off.

    Returns
    -------
    str
        For `auto` r2_corr_c2 where it exists, else r2_corr.

    Raises
    ------
    ConfigError
        A noise-corrected score is wanted, and there are none.
    """
    if wanted == "auto":
        return "r2_corr_c2" if corrected else "r2_corr"
    if wanted in CORRECTED and not corrected:
        raise ConfigError(
            f"metric: {wanted} is corrected for noise, which needs responses with repetitions and "
            "`noise_correction: auto`; use auto, r2_corr or r2."
        )
    return cast(Metric, wanted)
