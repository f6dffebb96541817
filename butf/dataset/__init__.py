"""Data sets on disk: the frame table, side modalities, areas, torch samples."""
