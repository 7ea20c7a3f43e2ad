"""The accounts: what really ran, what was really billed, who pays, what was wasted, and whether the plan held."""
