"""What to do about waste: each recommendation with its dollars, evidence, risk and the command that carries it out."""
