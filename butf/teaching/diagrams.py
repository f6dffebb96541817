"""Where the parts of each method stand in its diagram, what flows between them, and which loss acts where."""

from __future__ import annotations

from butf.figures.diagram import Link, Node
from butf.teaching.steps import TEST_TIME, Course, Step
from butf.training.recipes import IMITATION

PLACES: dict[str, tuple[float, float, tuple[str, ...]]] = {
    "kept": (1, 0, ("first stages",)),
    "late": (2, 0, ("later stages",)),
    "pool": (3, 0, ("pooling",)),
    "decoder": (2, 1, ("decoder",)),
    "adapter": (3, 1, ("adapter, pooling",)),
    "side_trunk": (2, 1, ("second trunk",)),
    "side_pool": (3, 1, ("pooling",)),
    "depth_trunk": (2, 2.5, ("depth trunk",)),
    "depth_pool": (3, 2.5, ("pooling",)),
    "measured": (2, 3, ("depth describer",)),
}
HELD = {"keep": "late", "keep_side": "side_trunk"}
TITLES = {
    "main": "image trunk",
    "depth": "depth network",
    "joint": "both, imitating depth",
    "transfer": "trunk and decoder",
    TEST_TIME: "at test time",
}
TOLD = {
    "main": "A photograph in, a descriptor out: the triplets of equation 1 teach which pictures show one place.",
    "depth": "Depth, coloured as a picture of three channels, teaches a network of its own to find places.",
    "joint": "The second trunk starts from the depth network and learns to give its features from the photograph.",
    "transfer": "A decoder learns to draw the depth (equation 2); from its features comes a second descriptor.",
    TEST_TIME: "Only the photograph is needed. What is pale was for training only.",
}
ADAPTED = (
    "The pictures that join are of unseen conditions, with depth and without places: the side descriptor learns to "
    "match that of the measured depth."
)


EQUATION_1 = r"Loss_{triplet} = \max\left(\|f(q) - f(q^+)\|^2 - \|f(q) - f(q^-)\|^2 + \lambda,\ 0\right) \quad (1)"
EQUATION_3 = (
    r"\begin{aligned} Loss = {} & Loss_{triplet}^{main} + \sigma_{side}\, Loss_{triplet}^{side} \\ & + "
    r"\sigma_{full}\, Loss_{triplet}^{full} + \sigma_{transfer}\, Loss_{transfer} \quad (3) \\ "
    r"& Loss_{transfer} = TRANSFER \end{aligned}"
)
EQUATION_2 = r"\|\tilde{M}(M^{main}) - M^{side}\|_1 \quad (2)"
IMITATED = rf"{IMITATION:g}\, \|H(M^{{main}}) - D(M^{{side}})\|^2 \,/\, \|D(M^{{side}})\|^2"


def equation(step: Step) -> str | None:
    """What the step descends, in LaTeX; None at test time. H is the second trunk, D the depth trunk."""
    if not step.terms:
        return None
    if "full" not in step.terms:
        return EQUATION_1
    return EQUATION_3.replace("TRANSFER", IMITATED if "depth_trunk" in step.parts else EQUATION_2)


def legend(step: Step) -> str:
    """What the looks of the boxes mean, and which of the terms the talk does not have."""
    words = "Numbers count parameters. Losses are orange; equation 1 acts on descriptors."
    if "keep" in step.terms:
        words += (
            " Near ImageNet's: a term of this project, which keeps the last map close to that of ImageNet's weights."
        )
    return words


def title(course: Course, number: int) -> str:
    """The name of a step: `1 image trunk`, or `at test time`."""
    words = TITLES[course.steps[number].name]
    return words if course.steps[number].name == TEST_TIME else f"{number + 1} {words}"


def told(course: Course, step: Step) -> str:
    """What the step does, in a sentence or two."""
    adapts = course.method == "bu-tf-adapted" and step.name == "transfer"
    return f"{TOLD[step.name]} {ADAPTED}" if adapts else TOLD[step.name]


def nodes(step: Step) -> dict[str, Node]:
    """All boxes of a step's diagram: the method's parts, what goes in and comes out, and the losses between them."""
    found = {name: _module(step, name) for name in step.parts}
    found["photo"] = Node(0, 0, "data", ("photograph",), "" if found["late"].state != "absent" else "absent")
    found["main"] = _descriptor(step, 4, 0, "main", "pool", "main")
    for pool, row, term in (("adapter", 1, "side"), ("side_pool", 1, "side"), ("depth_pool", 2.5, "side")):
        if pool in step.parts:
            # The depth network's triplets are the recipe's `side` term of its own step only.
            own = term if (pool == "depth_pool") == (step.name == "depth") else None
            words = "depth" if pool == "depth_pool" else "side"
            found[f"{words} descriptor"] = _descriptor(step, 4, row, words, pool, own)
    if "side descriptor" in found:
        state = found["side descriptor"].state
        losses = ("equation 1",) if "full" in step.terms else ()
        found["full"] = Node(5, 0.5, "descriptor", ("full descriptor",), state, losses)
    return found | _side_maps(step)


def links(step: Step) -> list[Link]:
    """What flows between the boxes, and along which dashed lines losses act."""
    parts = step.parts
    pairs = [("photo", "kept"), ("kept", "late"), ("late", "pool"), ("pool", "main")]
    pulls = []
    if "decoder" in parts:
        pairs += [("kept", "decoder"), ("late", "decoder"), ("decoder", "adapter"), ("adapter", "side descriptor")]
        pairs += [("decoder", "drawn")]
        pulls += [("depth", "transfer"), ("transfer", "drawn")] if "transfer" in step.terms else []
    if "side_trunk" in parts:
        pairs += [("photo", "side_trunk"), ("side_trunk", "side_pool"), ("side_pool", "side descriptor")]
        pairs += [("depth", "depth_trunk"), ("depth_trunk", "depth_pool"), ("depth_pool", "depth descriptor")]
        pulls += [("side_trunk", "transfer"), ("transfer", "depth_trunk")] if "transfer" in step.terms else []
    if "measured" in parts:
        pairs += [("depth", "measured"), ("measured", "depth descriptor")]
        pulls += [("side descriptor", "match"), ("match", "depth descriptor")] if "match" in step.terms else []
    if "side descriptor" in nodes(step):
        pairs += [("main", "full"), ("side descriptor", "full")]
    return [Link(*pair) for pair in pairs] + [Link(*pair, pull=True) for pair in pulls]


def _module(step: Step, name: str) -> Node:
    column, row, lines = PLACES[name]
    part = step.parts[name]
    state = "deployed" if part.used and step.name == TEST_TIME else part.state
    held = tuple("near ImageNet's" for term, where in HELD.items() if where == name and term in step.terms)
    return Node(column, row, "module", (*lines, f"{part.parameters:,}"), state, held)


def _descriptor(step: Step, column: int, row: float, word: str, pool: str, term: str | None) -> Node:
    state = "absent" if step.parts[pool].state == "absent" else ""
    losses = ("equation 1",) if term in step.terms else ()
    return Node(column, row, "descriptor", (f"{word} descriptor",), state, losses)


def _side_maps(step: Step) -> dict[str, Node]:
    """Measured depth, the depth that a decoder draws, and the losses that compare."""
    found: dict[str, Node] = {}
    if "decoder" in step.parts:
        state = "absent" if step.parts["decoder"].state == "absent" else ""
        found["drawn"] = Node(2, 2, "data", ("depth, drawn",), state)
        found["depth"] = Node(0, 2, "data", ("depth, measured",), "" if "transfer" in step.terms else "absent")
        if "transfer" in step.terms:
            found["transfer"] = Node(1, 2, "loss", ("equation 2", "L1"))
    if "depth_trunk" in step.parts:
        used = step.parts["depth_trunk"].used
        found["depth"] = Node(0, 2.5, "data", ("depth, measured",), "" if used else "absent")
        if "transfer" in step.terms:
            found["transfer"] = Node(2, 1.75, "loss", ("imitate",))
    if "measured" in step.parts:
        state = "" if step.parts["measured"].used else "absent"
        losses = ("equation 1",) if "measured" in step.terms else ()
        found["depth descriptor"] = Node(4, 3, "descriptor", ("depth descriptor",), state, losses)
        if "match" in step.terms:
            found["match"] = Node(4, 2, "loss", ("match",))
    return found
