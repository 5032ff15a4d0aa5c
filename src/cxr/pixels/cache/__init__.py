"""Pixels decoded once and kept on disk."""
