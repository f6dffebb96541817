"""Training: the recipe of each method, the trainer, its checkpoints, and runs that outlive the app."""
