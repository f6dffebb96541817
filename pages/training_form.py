"""The form of a new training run, part of the Train page."""

import time
from dataclasses import Field, fields
from typing import Any, get_args

import streamlit as st

from butf.dataset.frames import find_datasets
from butf.dataset.modalities import LEARNABLE
from butf.networks import zoo
from butf.networks.aggregation import POOLINGS
from butf.networks.methods import ABOUT
from butf.networks.trunk import TRUNKS
from butf.training import runs
from butf.training.config import EXTRA, GROUPS, LOSSES_OF_PLACES, MINING, SCHEDULES, TRAINABLE, TrainConfig
from butf.training.folder import NameTaken
from butf.training.presets import PRESETS, Preset
from butf.training.start import ADAPTABLE
from pages import shared

CHOICES = {
    "modality": LEARNABLE,
    "trunk": TRUNKS,
    "device": ("auto", "cpu", "cuda"),
    "extra": EXTRA,
    "mining": MINING,
    "loss": LOSSES_OF_PLACES,
    "pooling": POOLINGS,
    "transfer_schedule": SCHEDULES,
}
SWITCHED_OFF = (
    "Training is switched off here, say for a public demo: runs can be watched and downloaded, nothing else. To switch "
    "it on, start the app without BUTF_NO_TRAINING."
)
SAME_PRESS_S = 3.0


def ask_for_run() -> None:
    """What to train on what and for how long, the command that does it, and the button that starts it."""
    data = list(find_datasets())
    if not runs.training_allowed():
        st.info(SWITCHED_OFF, icon=":material/block:")
        return
    if not data:
        st.info(shared.NO_DATA, icon=":material/folder_off:")
        return
    method = st.selectbox("Method", TRAINABLE, TRAINABLE.index("bu-tf"), help=method_help())
    shown = st.session_state.get("data", "town")
    name = st.selectbox("Train on", data, data.index(shown) if shown in data else 0)
    preset = ask_preset()
    own = ask_settings(method) if preset.custom else preset.values_for(method)
    details = "" if preset.custom else settings_text(preset, method)
    config = TrainConfig(method=method, data=name, **own).as_dict()
    fresh = runs.fresh_name(config)
    # With a key of its own it keeps what was typed when the next minute suggests another name.
    about = "Letters, digits, '-', '_' and '.'."
    chosen = st.text_input("Name of the run", placeholder=fresh, help=about, key="run-name").strip()
    if chosen:
        runs.check_name(chosen)
    active = [state for state in runs.list_runs() if state.active]
    if active:
        many = "A run is" if len(active) == 1 else f"{len(active)} runs are"
        st.caption(f":material/hourglass_top: {many} at work or queued: a new one on the same device waits its turn.")
    look = {"type": "primary", "icon": ":material/play_arrow:", "width": "stretch"}
    st.button("Start training", on_click=begin, args=(config, chosen or None, fresh), **look)
    with st.expander("What that sets, and its command", icon=":material/terminal:"):
        if details:
            st.markdown(details)
        st.caption("The same from a terminal, in the folder of this app:")
        st.code(runs.command_text(runs.train_command(config, chosen or fresh)), "bash", wrap_lines=True)


def begin(config: dict[str, Any], chosen: str | None, fresh: str) -> None:
    """Start a run, in a callback: its name was fixed when the button was drawn, so one press makes one run.

    A double click is two presses of the same button, and the second is passed over.
    """
    press, now = (config, chosen), time.monotonic()
    before, when = st.session_state.get("pressed", (None, 0.0))
    if press == before and now - when < SAME_PRESS_S:
        return
    with shared.told_plainly():
        try:
            run = runs.start(config, chosen or fresh)
        except NameTaken:
            if chosen:
                raise
            run = runs.start(config)  # another tab took the fresh name meanwhile
        st.session_state.update({"run": run.name, "pressed": (press, now)})


def ask_preset() -> Preset:
    """How long and how hard to train, in plain words."""
    labels = [preset.label for preset in PRESETS]
    preset = PRESETS[labels.index(st.radio("How", labels))]
    st.caption(preset.about)
    return preset


def settings_text(preset: Preset, method: str) -> str:
    """What a preset sets, beside the default of each field."""
    defaults = TrainConfig(method=method).as_dict()
    values = preset.values_for(method).items()
    changed = [f"- `{name}` {value}, not {defaults[name]}" for name, value in values if value != defaults[name]]
    return "\n".join([preset.details, "", *changed])


def ask_settings(method: str) -> dict[str, Any]:
    """Every field of TrainConfig that the method makes use of, in groups of which the first is open."""
    chosen, config = {}, TrainConfig(method=method)
    for group in GROUPS:
        own = [field for field in fields(TrainConfig) if field.metadata["group"] == group and config.reads(field.name)]
        if own:
            with st.expander(group, expanded=group == GROUPS[0]):
                chosen |= {field.name: ask_field(field, method) for field in own}
    return chosen


def ask_field(field: Field, method: str) -> Any:
    """The widget that fits a field's type, with the field's own help and its default."""
    label, default = field.name.replace("_", " ").capitalize(), field.default
    said = field.metadata["help"]
    about = f"{said[0].upper()}{said[1:]}. Default: {'none' if default is None else default}."
    kind = next(iter(get_args(field.type)), field.type)
    if field.name == "start_from":
        fitting = ("image-only", *(ADAPTABLE if method == "bu-tf-adapted" else ()))
        starts = [card.name for card in zoo.available() if card.method in fitting]
        return st.selectbox(label, starts, None, help=about, placeholder="nothing")
    if field.name in CHOICES:
        return st.selectbox(label, CHOICES[field.name], help=about)
    if kind is bool:
        return st.toggle(label, default, help=about)
    if kind is str:
        return st.text_input(label, default, help=about)
    form = {"step": 1} if kind is int else {"format": "%g"}
    return st.number_input(label, value=default, help=about, placeholder="none", **form)


def method_help() -> str:
    """A line about each method that can be trained."""
    return "\n".join(f"- **{method}**: {ABOUT[method]}" for method in TRAINABLE)
