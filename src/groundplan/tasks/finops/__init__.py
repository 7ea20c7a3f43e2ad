"""Tasks of the accounts: one function a question about what was run and billed."""
