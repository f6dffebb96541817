"""Three triplets to begin with, told apart as in FaceNet (Schroff 2015) by what the loss says of them."""

STARTS: dict[str, tuple[tuple[float, float], ...]] = {
    "hard": ((0.1, 0.05), (0.95, 0.35), (-0.35, -0.3)),
    "semi-hard": ((0.0, 0.0), (0.55, 0.2), (-0.58, -0.26)),
    "easy": ((0.0, 0.0), (0.35, 0.15), (-1.0, -0.4)),
}
"""Query, positive and negative, as points of a plane. Hard: the negative is nearer than the positive. Semi-hard: it
is farther, by less than the margin. Easy: by more, and there is nothing to learn."""
