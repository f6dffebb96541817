"""Fields that several ways in for one's own data ask for. Part of the Data page."""

import streamlit as st

UPLOAD_MB = 500
PATH = "Full path of the folder on this machine"


def ask_path(example: str, label: str = PATH, disabled: bool = False) -> str:
    path = st.text_input(label, placeholder=example, on_change=forget, disabled=disabled, key=f"path-{example}")
    return path.strip()


def ask_radius(place: st.delta_generator.DeltaGenerator, key: str) -> float:
    words = "Same place within, m"
    return place.number_input(words, 1.0, 1000.0, 25.0, 5.0, "%g", key=f"{key}-radius", on_change=forget)


def most_mb() -> int:
    return min(UPLOAD_MB, st.get_option("server.maxUploadSize"))


def forget() -> None:
    """Put away what was checked; what was unpacked for it goes too."""
    incoming = st.session_state.pop("incoming", None)
    st.session_state.pop("import-name", None)
    if incoming is not None:
        incoming.discard()
