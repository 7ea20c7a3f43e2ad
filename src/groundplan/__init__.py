"""Groundplan: plan, prove and police machine-learning infrastructure."""

__version__ = "0.1.0"
