"""The models' marks as SVG, for what Plotly does not draw: in a field of 24 x 24, with room for a number inside."""

from butf.figures.theme import model_symbol

SIDE = 24
SHAPES = {
    "circle": '<circle cx="12" cy="12" r="8.5" {look}/>',
    "square": '<rect x="4" y="4" width="16" height="16" rx="2" {look}/>',
    "diamond": '<path d="M12 1.5 22.5 12 12 22.5 1.5 12Z" {look}/>',
    "triangle-down": '<path d="M2 4h20L12 22z" {look}/>',
    "triangle-up": '<path d="M12 2l10 18H2z" {look}/>',
    "hexagon": '<path d="M12 2l9 5v10l-9 5-9-5V7z" {look}/>',
    "star": '<path d="M12 .5l3.8 6.3 7.2 1.6-4.9 5.5.7 7.3-6.8-2.9-6.8 2.9.7-7.3L1 8.4l7.2-1.6z" {look}/>',
    "cross": '<path d="M7 1.5h10V7h5.5v10H17v5.5H7V17H1.5V7H7z" {look}/>',
    "x": '<path d="M12 5l3.5-3.5 7 7L19 12l3.5 3.5-7 7L12 19l-3.5 3.5-7-7L5 12 1.5 8.5l7-7z" {look}/>',
}


def model_shape(model: str, look: str) -> str:
    """The shape of a model, the one that `model_symbol` names, with the attributes `look`."""
    return SHAPES[model_symbol(model)].format(look=look)
