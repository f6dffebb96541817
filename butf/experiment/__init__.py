"""Experiments: many trainings, one evaluation, and the words for what came out."""
