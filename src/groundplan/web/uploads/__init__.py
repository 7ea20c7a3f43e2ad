"""Files that people send: models, request traces, bills. Bounded, named by their content, never trusted."""
