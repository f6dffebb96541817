"""From a photo to its camera's pose: PnP with RANSAC, hierarchical localization, and what is drawn into the photo."""
