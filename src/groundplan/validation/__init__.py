"""Predictions held against measurements: read published runs, predict each, score by set, fit the few constants."""
