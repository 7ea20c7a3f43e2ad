"""Laws: pure numpy functions that work on a scalar and on a million candidates alike."""
