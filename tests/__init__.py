"""Tests of Haggle: unit, integration (real servers), sql (golden answers on real Trino)."""
