"""The web: pages, the API and what guards them."""
