"""The simulation: players made and trades done over HTTP, both drawn from a seed."""
