"""Make the pickles of this folder: `python make.py`, once with each version of pandas (they need Python 3.6 to 3.12).

pandas 1.1.4 with numpy 1.19.1 is what the published archives were written with.
"""

import numpy as np
import pandas as pd


def regions() -> pd.DataFrame:
    """Return a table like df_roi_meta: several types, text with gaps, values set later, gaps in the index."""
    frame = pd.DataFrame(
        {
            "subj_idx": np.array([1, 1, 2, 8], dtype=np.uint8),
            "hemi": ["rh", "lh", "rh", "lh"],
            "x_ras": np.array([-2, -1, 0, 40], dtype=np.int16),
            "y_ras": np.array([0, 2, 4, -6], dtype=np.int16),
            "voxel_id": np.array([0, 17, 3, 11064]),
            "tonotopic": np.array([0.0, 1.0, 0.0, 1.0]),
            "kell_r_reliability": [0.5, 0.25, -0.125, 1e-300],
        },
        index=[0, 3, 5, 9],
    )
    frame["shared_by"] = np.nan
    frame.loc[[0, 3], "shared_by"] = 3
    frame["roi_label_general"] = ["Primary", np.nan, "Lateral", np.nan]
    return frame


def output() -> pd.DataFrame:
    """Return a table like df_output of two components, whose names are numpy's text, as from a MATLAB file."""
    frame = pd.DataFrame(
        {
            "median_r2_test": [0.5, 0.625],
            "std_r2_test": [0.03, 0.06],
            "median_r2_test_c": [0.0, 0.0],
            "median_alpha": [1.0, 1e49],
            "comp": [np.str_("lowfreq"), np.str_("highfreq")],
            "comp_idx": np.arange(2),
        }
    )
    frame.index = frame["comp"]
    for column, value in (("source_model", "AST"), ("source_layer", "Encoder_1"), ("randnetw", "False")):
        frame[column] = value
    frame["target"] = "NH2015comp"
    return frame


if __name__ == "__main__":
    regions().to_pickle(f"regions_pandas{pd.__version__}.pkl")
    output().to_pickle(f"output_pandas{pd.__version__}.pkl")
