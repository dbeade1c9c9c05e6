"""Seeded faults that prove the tests, see `__main__`."""
