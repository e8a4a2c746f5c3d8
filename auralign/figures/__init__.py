"""Figures of a comparison, each with the data it shows, a caption, and a description for readers who cannot see it.

Every function takes a table of the results and returns a `FigureOf`: `.figure` draws it, `.save(folder)` writes SVG,
PNG and TSV, and a notebook shows it. `all_figures(results)` makes all that the tables allow. Maps on the cortical
surface are in `auralign.figures.surface`, which is not imported here: nilearn takes seconds to import. Nor is what
`stimulus_predictions` fits again with, until it is asked for.
"""

from typing import TYPE_CHECKING, Any

from .alphas import alphas
from .collection import all_figures
from .depth import best_layer_by_region
from .diagnostics import excluded_targets, fit_problems, reliability
from .dynamics import training_heat, training_lines, training_series, training_surface
from .estimators import estimator_differences, estimator_layers
from .layers import layer_scores
from .maps import best_layer_map, score_map
from .ranking import model_ranking
from .saving import FigureOf
from .scatter import component_scatter, estimators_against
from .sparse import selected_counts, selection_agreement, selection_stability
from .stimuli import predicted_against_measured
from .style import MAX_PANELS, Look, feature_looks
from .subjects import median_layers, region_layers
from .variance import optimism_gap, unique_variance

if TYPE_CHECKING:
    from ..runs.predictions import stimulus_predictions

__all__ = [
    "MAX_PANELS",
    "FigureOf",
    "Look",
    "all_figures",
    "alphas",
    "best_layer_by_region",
    "best_layer_map",
    "component_scatter",
    "estimator_differences",
    "estimator_layers",
    "estimators_against",
    "excluded_targets",
    "feature_looks",
    "fit_problems",
    "layer_scores",
    "median_layers",
    "model_ranking",
    "optimism_gap",
    "predicted_against_measured",
    "region_layers",
    "reliability",
    "score_map",
    "selected_counts",
    "selection_agreement",
    "selection_stability",
    "stimulus_predictions",
    "training_heat",
    "training_lines",
    "training_series",
    "training_surface",
    "unique_variance",
]


def __getattr__(name: str) -> Any:
    """Import what fits models once more where it is asked for."""
    if name == "stimulus_predictions":
        from ..runs.predictions import stimulus_predictions

        return stimulus_predictions
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
