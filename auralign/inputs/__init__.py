"""What enters a study: stimuli, features, responses, splits, confounds, and how they are joined."""
