"""The chart, rendered: checked as objects, without a cluster."""
