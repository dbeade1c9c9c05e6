"""The lake: asking it through Trino, its table and views, its upkeep, and the audit."""
