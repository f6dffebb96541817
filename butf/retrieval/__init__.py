"""Retrieval: descriptors, exact search, recall with intervals, paired tests, and what the Explore page asks."""
