"""Honest behaviours, among them those that look like a cheat from far off, which the plan names as innocent."""
