"""What we add to a Folium map: an element made by a template of its own."""

from branca.element import MacroElement


class Layer(MacroElement):
    """An element with a name for the page; its class has the `_template`."""

    def __init__(self, name: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # branca is typed, but not this constructor
        self._name = name
