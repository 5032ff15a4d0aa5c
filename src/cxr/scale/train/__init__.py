"""Training by several processes that Ray starts."""
