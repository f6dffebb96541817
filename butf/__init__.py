"""BU-TF: learning scene geometry for visual place recognition in challenging conditions.

The library behind the app and the command line. It never imports streamlit.
"""

__version__ = "1.0.0"
