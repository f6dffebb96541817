"""What Plotly thinks of a figure that was drawn without it looking (`butf.figures.theme.drawn`)."""

import json

import plotly.graph_objects as go
import plotly.io


def looked_through(figure: go.Figure) -> go.Figure:
    """The figure, once Plotly has found every property and value known and would send the page just the same."""
    seen = go.Figure(figure.to_dict())  # raises where a property or a value is unknown
    was, told = (json.loads(plotly.io.to_json(one, validate=False)) for one in (figure, seen))
    assert told == was, "Plotly writes something in another way, such as a title that is not yet a dictionary"
    return figure
