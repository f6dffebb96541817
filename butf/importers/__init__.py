"""Recorded data in other forms, turned into ours: one module a form."""
