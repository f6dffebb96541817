"""The commands of `python -m butf`, one module each: `add_arguments(parser)` and `run(args)`."""
