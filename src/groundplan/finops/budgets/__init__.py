"""Budgets: what may be spent, what is spent, when it will be too much, and who is told."""
