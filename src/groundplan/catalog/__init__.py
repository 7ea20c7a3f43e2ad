"""Facts: what exists, as data rows with a source and an evidence class per number."""
