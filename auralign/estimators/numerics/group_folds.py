"""Inner folds that keep related stimuli together: what chooses a penalty must not see versions of a left-out sound."""

import numpy as np
from sklearn.model_selection import KFold, LeaveOneGroupOut

from ...errors import ConfigError

# positions of the stimuli that are fitted and of those that are left out
Fold = tuple[np.ndarray, np.ndarray]


def inner_folds(cv: int | str, seed: int, groups: np.ndarray) -> list[Fold]:
    """Divide development stimuli into inner folds, every group of them on one side.

    With each stimulus in a group of its own, `cv` "loo" gives leave-one-out and an integer the shuffled k-fold of the
    same seed, `KFold(cv, shuffle=True, random_state=seed)`.

    Parameters
    ----------
    cv : "loo" or int
        Leave one group out; or the number of folds, into which the groups (in ascending order of their codes) are
        shuffled. Folds have equal numbers of groups, give or take one, and of stimuli only if the groups are of a size.
    seed : int
        Of the shuffling; "loo" draws nothing.
    groups : ndarray of int, shape (n,)
        Code of the group of every development stimulus.

    Returns
    -------
    list of (train, validation)
        Ascending positions in `groups`.

    Raises
    ------
    ConfigError
        There are fewer groups than folds, or a single one.
    """
    groups = np.asarray(groups)
    codes = np.unique(groups)
    least = 2 if cv == "loo" else int(cv)
    if len(codes) < least:
        raise ConfigError(
            f"cv: {cv} inner folds keep the groups of the stimuli together, and need {least} groups or more among the "
            f"{len(groups)} development stimuli of every split; here are {len(codes)}. Use fewer folds, or more "
            "development stimuli."
        )
    if cv == "loo":
        return list(LeaveOneGroupOut().split(groups, groups=groups))
    folds = KFold(cv, shuffle=True, random_state=seed).split(codes)
    left_out = [np.isin(groups, codes[chosen]) for _, chosen in folds]
    return [(np.flatnonzero(~held_out), np.flatnonzero(held_out)) for held_out in left_out]
