"""What could be built: clusters, layouts and purchases. One candidate answer each, without formulas."""
