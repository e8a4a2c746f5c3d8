"""What can be asked of features and responses, and what all questions share: preparation, blocks, keys."""
