"""How fast the engine is, measured beside what bounds it: `make bench`."""
