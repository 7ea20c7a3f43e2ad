"""Decisions: what to try, what fits, what wins, what would nearly do, and why."""
