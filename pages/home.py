"""Home: what this is, on one screen."""

import streamlit as st

from pages import shared


def main() -> None:
    choice = shared.choice()
    if choice is None:
        return
    st.html("<h1 class='page'>Find the place, having learnt its depth</h1>")


shared.enter_app()
with shared.told_plainly():
    main()
