"""Who may ask: tokens, people whom a provider vouches for, and what is turned away at the door."""
