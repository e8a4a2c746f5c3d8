"""What estimators are made of: decompositions, paths, folds, errors of leave-one-out."""
