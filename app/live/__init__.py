"""The live page: what happens in a realm now, as one snapshot a second in each worker for all who look."""
