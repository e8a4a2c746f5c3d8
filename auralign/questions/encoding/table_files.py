"""The tables of encoding in a results folder: their files, and what a reader may rely on."""

from ..question import TableFile

_COMPARE = "a run of `auralign run` of this version"
_SPARSE = "a sparse estimator (kind: lasso)"

# in the order in which they are looked for
TABLES = {
    "scores": TableFile(
        "scores.parquet",
        "features layer layer_name target estimator split r2 r2_corr r2_dev alpha n_train n_test",
        # the name of a layer follows from the first two
        rows=("features", "layer", "target", "estimator", "split"),
    ),
    "nested": TableFile(
        "nested.parquet",
        "features estimator target split layer layer_name r2_dev r2_corr n_train n_test",
        _COMPARE,
    ),
    "fits": TableFile(
        "fits.parquet",
        "features layer layer_name estimator target split alpha n_fits n_alphas n_smallest n_largest n_infinite "
        "n_undefined",
        _COMPARE,
    ),
    "estimator_differences": TableFile(
        "estimator_differences.parquet",
        "features layer layer_name a b metric target split difference n_targets n_train n_test",
        "several estimators",
    ),
    "summary": TableFile(
        "summary.tsv",
        "features layer layer_name target estimator r2_median r2_corr_median n_splits",
        always=True,
    ),
    "comparisons": TableFile(
        "comparisons.tsv",
        "test metric a b target difference p_fdr significant",
        always=True,
    ),
    "layers": TableFile(
        "layers.tsv",
        "features estimator layer metric score sem sem_morey pooled n_subjects n_targets",
        _COMPARE,
    ),
    "regions": TableFile(
        "regions.tsv",
        "features estimator region layer metric score sem sem_morey pooled n_subjects n_targets",
        "targets with a column `roi` (targets.target_table)",
    ),
    "layer_choice": TableFile(
        "layer_choice.tsv",
        "features estimator metric layers naive published nested gap n_targets",
        _COMPARE,
    ),
    "unique_variance": TableFile(
        "unique_variance.tsv",
        "features without adds layer estimator target unique low high",
        "a feature set that joins two others (features.<set>.join)",
    ),
    "selected": TableFile(
        "selected.parquet",
        "features layer estimator target split unit weight",
        _SPARSE,
    ),
    "selection": TableFile(
        "selection.tsv",
        "across features layer estimator kuncheva jaccard_chance n_pairs",
        _SPARSE,
    ),
    "hypotheses": TableFile(
        "hypotheses.tsv",
        "hypothesis statement target a b estimate low high n p_fdr verdict",
        "`hypotheses` in the configuration",
    ),
    "above_chance": TableFile(
        "above_chance.tsv",
        "features layer estimator target score chance p",
        "`above_chance` in the configuration",
    ),
    "dropped_targets": TableFile(
        "dropped_targets.tsv",
        "target reason n_stimuli stimuli",
        "`missing_targets: drop`, and targets that are left out",
    ),
    "repetitions": TableFile(
        "repetitions.tsv",
        "stimulus n_repetitions_mean n_repetitions_min n_repetitions_max",
        "`targets.missing_repetitions: available`, and stimuli that lack repetitions",
    ),
}
