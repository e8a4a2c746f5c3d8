"""What the words and the columns of the tables mean, in a few words each: the report and the site read them here."""

# the words of the documentation; `code` is marked as there
TERMS = {
    "alpha": "Penalty of a linear model, on scikit-learn's scale: ridge minimises ||y - Xw||² + alpha ||w||², lasso "
    "||y - Xw||² / (2n) + alpha ||w||_1. Chosen inside the development stimuli of every split.",
    "above chance": "A score that is rarely reached when the responses are given to other stimuli (a permutation "
    "test).",
    "best layer": "The layer with the highest score. `naive`: chosen on the scores that are reported, hence too "
    "high; `published`: chosen on half of the splits, read on the other half; `nested`: chosen inside the "
    "development stimuli of every split, read on the test stimuli.",
    "block": "What is computed and kept as one file: one feature set, layer and estimator on all splits and targets.",
    "centring": "X and y lose the mean of the development stimuli of the split; nothing is scaled, and the test "
    "stimuli do not enter. Also called demeaning.",
    "comparison": "A study described by one YAML file of `julearn_configs`: features, targets, splits, estimators, "
    "tests.",
    "component": "One of the six response patterns of Norman-Haignere, Kanwisher & McDermott (2015) that together "
    "explain the voxels of auditory cortex: lowfreq, highfreq, envsounds, pitch, speech, music.",
    "confound": "A variable whose prediction is subtracted from features, responses or both, inside the splits.",
    "development stimuli": "The stimuli of a split with which a model is fitted and its settings are chosen; the "
    "others are the test stimuli.",
    "estimator": "The regression model between features and responses: ridge, lasso, ...",
    "feature set": "The layers of one network, or one set of acoustic measures, under a name: one vector of units "
    "per stimulus and layer.",
    "group": "Stimuli that belong together (versions of one sound): never on both sides of a split.",
    "headline": "The sentence in which a report begins: the share of the explainable variance that the best feature "
    "set and estimator predict.",
    "inner folds": "The parts of the development stimuli on which alpha is chosen: `KFold(k, shuffle=True, "
    "random_state=seed)`, or leave-one-out.",
    "layer": "A depth of a network, counted from 0, encoder before decoder; `layer_name` is the network's own name "
    "of it.",
    "marker": "What junifer computes from a sound: here a network, or a set of acoustic features.",
    "noise ceiling": "The score of a perfect prediction of the noiseless response, estimated from repetitions.",
    "noise correction": "Scores divided by the reliability of responses and predictions: `r2_corr_c` as published, "
    "`r2_corr_c2` with the floor applied before Spearman-Brown.",
    "order of the stimuli": "Ascending leading number of `stim<N>_...` (stim5 before stim11) where every id has one, "
    "else by name. Everything is joined by id and put in this order before anything random is drawn.",
    "phantom": "The built-in study: synthetic sounds and responses with known ceilings. No recording, no brain.",
    "primary metric": "The score by which headline, ranking, figures and tests are read: `r2_corr_c2` where scores "
    "are corrected for noise, else `r2_corr`.",
    "r2": "1 - SSE/SST on the test stimuli, SST about their mean (scikit-learn's `r2_score`). May be negative.",
    "r2_corr": "Squared Pearson correlation of prediction and response on the test stimuli; 0 where the correlation "
    "is negative or undefined.",
    "recipe": "Two tracked files from which a DataLad dataset is built without network: licence, citation, and path, "
    "size, checksum and address of every file.",
    "reliability": "How well a response repeats: correlation of repetitions, raised to their number by Spearman-Brown.",
    "repetition": "One of several measurements of the responses to the same stimuli.",
    "split": "One division of the stimuli into development and test stimuli. Numbered from 0.",
    "stimulus id": "The file name of a sound without folder and extension.",
    "target": "One response that is predicted: a component, a voxel, a column of your table.",
    "unique variance": "What a feature set predicts beyond another: r2 of both together minus r2 of the other alone.",
    "unit": "One number of a layer: a column of the features.",
    "voxel": "One small volume of the brain whose response was measured.",
}

COLUMNS = {
    "across": "pairs of selections compared: of splits, of targets, or of regions",
    "a": "first side of the comparison",
    "a_mean": "mean score of the first side over splits",
    "adds": "the part whose contribution is measured",
    "alpha_median": "penalty of the model, median over splits",
    "b": "second side of the comparison",
    "b_mean": "mean score of the second side over splits",
    "by": "feature set and estimator that reached it",
    "ceiling": "highest possible score, known because the responses are synthetic",
    "chance": "score that is exceeded where p is at most .05, from permuted stimuli",
    "decides": "whether the verdict of the hypothesis rests on this row",
    "depth": "relative depth of the layer in its feature set: 0 first, 1 last",
    "df": "degrees of freedom",
    "difference": "mean over splits of the first side minus the second",
    "driven_by": "what the response was made from",
    "effect": "difference in standard deviations of one split's difference; does not grow with the number of splits",
    "estimate": "first side minus second",
    "estimator": "regression model",
    "expected": "what an acoustic feature set can find of it",
    "features": "feature set",
    "gap": "naive minus nested: what choosing the layer on the reported scores adds to them",
    "high": "upper end of the interval",
    "jaccard": "shared units / all units of two selections, mean over pairs",
    "jaccard_chance": "the same for random selections of the same sizes",
    "kuncheva": "agreement of two selections beyond chance: 0 chance, 1 identical",
    "kuncheva_z": "agreement in standard deviations of that of random selections",
    "layer": "index of the layer, from 0",
    "layer_name": "the network's name of the layer",
    "layer_share": "share of splits (and targets) in which this layer was chosen",
    "layers": "all layers, or without a summed last one",
    "low": "lower end of the interval",
    "mean": "mean over splits",
    "median": "median over splits; of one target the column `nested` of the layer choices",
    "metric": "the score compared",
    "n": "splits or subjects",
    "n_empty": "splits in which nothing was selected",
    "n_layers": "layers to choose from",
    "n_left_out": "targets without a label of subject or region",
    "n_pairs": "pairs of selections",
    "n_permutations": "permutations of the stimuli",
    "n_selected_max": "largest number of units selected in a split",
    "n_selected_mean": "number of units selected, mean over splits",
    "n_selected_min": "smallest number of units selected in a split",
    "n_splits": "splits",
    "n_subjects": "subjects",
    "n_targets": "targets",
    "naive": "highest median over the test splits, layer chosen on these scores",
    "naive_layer": "layer so chosen, and its relative depth (of many targets: most often)",
    "nested": "score with the layer chosen inside the development stimuli of every split",
    "nested_layer": "layer chosen most often so, and its relative depth",
    "noise_ceiling": "r2_corr of a perfect prediction of the noiseless response",
    "noise_ceiling_high": "upper end of its interval, of 95 % unless `ceiling.level` says otherwise",
    "noise_ceiling_low": "lower end of its interval",
    "p": "p-value",
    "p_best_fdr": "p of the target's best layer, corrected for layers and targets",
    "p_fdr": "p-value adjusted for the false discovery rate",
    "p_layers": "p-value corrected for the choice among layers",
    "pooled": "median over all targets together",
    "published": "layer chosen on half of the splits and read on the other half (Tuckute et al. 2023)",
    "published_layer": "layer chosen most often so, and its relative depth",
    "published_sem": "standard error over ten draws of halves",
    "r2_corr_c2_median": "r2_corr corrected for noise, median over splits",
    "r2_corr_c_median": "r2_corr corrected for noise as published, median over splits",
    "r2_corr_half_split": "r2_corr by the published half-split summary, this layer by itself",
    "r2_corr_median": "squared correlation of prediction and response, 0 where negative; median over splits",
    "r2_corr_sd": "standard deviation over splits",
    "r2_dev_median": "r2 inside the development stimuli, by which layers may be chosen; median over splits",
    "r2_median": "coefficient of determination on the test stimuli; median over splits",
    "r2_sd": "standard deviation over splits",
    "reached": "highest mean r2_corr over splits, layer chosen inside the development stimuli",
    "region": "region of the targets",
    "reliability_median": "reliability of the responses on the development stimuli, median over splits",
    "score": "behind the headline: mean over splits; of layers and regions: over subjects, else median over targets",
    "sem": "within-subject standard error, as published",
    "sem_between": "standard error between subjects",
    "sem_morey": "within-subject standard error, unbiased",
    "share": "reached / ceiling",
    "significant": "adjusted p at or below the level of false discoveries",
    "stability": "stability of the selections over splits: 0 chance, 1 identical",
    "t": "t of the corrected resampled t-test",
    "target": "response that is predicted",
    "test": "number of the entry of `tests`",
    "unique": "r2 of both parts together minus r2 of the other part alone, mean over splits",
    "verdict": "supported, contradicted or undecided; descriptive where no hypothesis rests on the row",
    "without": "the other part, alone",
}

# how numbers are written: columns that are p-values, that are signed, that span orders of magnitude, that are whole
P_VALUES = ("p", "p_fdr", "p_layers", "p_best_fdr")
SIGNED = ("difference", "estimate", "unique", "gap", "t", "effect", "jaccard_z", "kuncheva_z")
WIDE = ("alpha_median",)
WHOLE = ("layer", "naive_layer", "published_layer", "nested_layer", "subject", "df", "test", "n")
