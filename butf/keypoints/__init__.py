"""Learned keypoints: detector, orientation and descriptor (TILDE, LIFT), and their matching."""
