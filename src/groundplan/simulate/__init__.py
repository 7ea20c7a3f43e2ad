"""Time: one event engine, and what runs on it: replicas, fleets, autoscaling, failures."""
