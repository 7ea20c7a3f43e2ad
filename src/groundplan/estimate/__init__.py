"""Laws put together into answers for a given design: memory, step, run."""
