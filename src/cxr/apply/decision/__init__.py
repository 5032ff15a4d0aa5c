"""From logits to a decision: probabilities, the operating threshold, and when to abstain."""
