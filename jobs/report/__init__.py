"""The business report: the questions of sql/questions/ through Trino, as HTML with figures and as JSON."""
