"""The form of a new training run, part of the Train page."""

from dataclasses import Field, fields
from typing import Any, get_args

import streamlit as st

from butf.dataset.frames import find_datasets
from butf.networks import zoo
from butf.networks.methods import ABOUT
from butf.networks.trunk import TRUNKS
from butf.training import runs
from butf.training.config import EXTRA, TRAINABLE, TrainConfig
from butf.training.presets import PRESETS
from pages import shared

CHIEF = ("steps", "seed", "trunk", "start_from")
CHOICES = {"trunk": TRUNKS, "device": ("auto", "cpu", "cuda"), "extra": EXTRA}


def ask_for_run() -> None:
    """What to train on what and for how long, the command that does it, and the button that starts it."""
    data = list(find_datasets())
    if not runs.training_allowed():
        st.info("Training is switched off here (BUTF_NO_TRAINING). Runs can still be watched.", icon=":material/block:")
        return
    if not data:
        st.info(shared.NO_DATA, icon=":material/folder_off:")
        return
    method = st.selectbox("Method", TRAINABLE, TRAINABLE.index("bu-tf"))
    st.caption(ABOUT[method])
    shown = st.session_state.get("data", "town")
    name = st.selectbox("Train on", data, data.index(shown) if shown in data else 0)
    values = {"method": method, "data": name, **ask_length(method)}
    config = TrainConfig(**values).as_dict()
    fresh = runs.fresh_name(config)
    chosen = st.text_input("Name of the run", placeholder=fresh, help="Letters, digits, '-', '_' and '.'.").strip()
    if chosen:
        runs.check_name(chosen)
    st.caption("The same from a terminal, in the folder of this app:")
    st.code(runs.command_text(runs.train_command(config, chosen or fresh)), "bash", wrap_lines=True)
    busy = [state.name for state in runs.list_runs() if state.active]
    if busy:
        st.caption(f":material/hourglass_top: {busy[0]} is at work; a new run on the same device waits for its turn.")
    if st.button("Start training", type="primary", icon=":material/play_arrow:", width="stretch"):
        st.session_state["run"] = runs.start(config, chosen or None).name


def ask_length(method: str) -> dict[str, Any]:
    """The fields of TrainConfig that the chosen preset sets, or that the user does."""
    labels = [preset.label for preset in PRESETS]
    label = st.segmented_control("How long", labels, default=labels[0], required=True, width="stretch")
    preset = PRESETS[labels.index(label)]
    st.caption(preset.about)
    return ask_settings(method) if preset.custom else preset.values


def ask_settings(method: str) -> dict[str, Any]:
    """Every field of TrainConfig, the chief ones first and the rest folded away."""
    own = [field for field in fields(TrainConfig) if field.name not in ("method", "data")]
    chief = [field for field in own if field.name in CHIEF]
    chosen = ask_fields(chief, method)
    with st.popover("More settings", icon=":material/tune:", width="stretch"):
        return chosen | ask_fields([field for field in own if field not in chief], method)


def ask_fields(chosen: list[Field], method: str) -> dict[str, Any]:
    """Widgets of several fields, two beside each other where there is room."""
    values, columns = {}, st.columns(2, vertical_alignment="bottom")
    for index, field in enumerate(chosen):
        with columns[index % 2]:
            values[field.name] = ask_field(field, method)
    return values


def ask_field(field: Field, method: str) -> Any:
    """The widget that fits a field's type, with the field's own help."""
    label, about, default = field.name.replace("_", " ").capitalize(), field.metadata["help"], field.default
    kind = next(iter(get_args(field.type)), field.type)
    if field.name == "start_from":
        starts = [card.name for card in zoo.available() if card.method == "image-only"]
        alone = method == "image-only"
        chosen = st.selectbox(label, starts, None, help=about, placeholder="nothing", disabled=alone)
        return None if alone else chosen
    if field.name in CHOICES:
        return st.selectbox(label, CHOICES[field.name], help=about)
    if kind is bool:
        return st.toggle(label, default, help=about)
    if kind is str:
        return st.text_input(label, default, help=about)
    form = {"step": 1} if kind is int else {"format": "%g"}
    return st.number_input(label, value=default, help=about, placeholder="none", **form)
