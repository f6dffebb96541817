"""What we add to a Folium map: an element made by a template of its own."""

from typing import Any

from branca.element import Element, Figure, MacroElement


class Layer(MacroElement):
    """An element with a name for the page, whose class has the `_template`: a macro `script`."""

    def __init__(self, name: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # branca is typed, but not this constructor
        self._name = name

    def render(self, **kwargs: Any) -> None:  # type: ignore[override]  # as MacroElement does
        """Add the script to the figure as it is.

        branca would read it as one more template: what is in the data would be taken for instructions where it looks
        like them, and most of the time that a map costs would go into looking through thousands of numbers.
        """
        figure = self.get_root()
        assert isinstance(figure, Figure)
        figure.script.add_child(_Script(self._template.module.script(self, kwargs)), name=self.get_name())


class _Script(Element):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def render(self, **kwargs: Any) -> str:
        return self.text
