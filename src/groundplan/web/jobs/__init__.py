"""Long questions: each is computed by a process of its own, tells how far it is, can be stopped, outlives a worker."""
