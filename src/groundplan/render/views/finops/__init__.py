"""Views of the accounts."""
