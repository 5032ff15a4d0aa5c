"""When a model should abstain: a conformal rule, and a detector of images out of distribution."""
