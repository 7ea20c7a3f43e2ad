"""What a user can ask: one function per task, typed request in, typed result out."""
