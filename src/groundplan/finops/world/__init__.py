"""A world to test on: a fleet, its teams and their jobs, with bill, telemetry and prices, and the truth about them."""
