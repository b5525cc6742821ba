"""Notebooks from their sources: derived, executed, normalised, checked."""
