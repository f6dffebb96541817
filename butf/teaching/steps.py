"""What each method trains in each of its training steps, read off the real recipes and counted on their networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import nn

from butf.networks.methods import count_parameters
from butf.training.config import TrainConfig
from butf.training.recipe import Recipe
from butf.training.recipes import build_recipe

TAUGHT = ("image-only", "hallucination", "bu-tf", "bu-tf-adapted")
TEST_TIME = "test time"
PARTS: dict[str, Callable[[Recipe], Sequence[nn.Module]]] = {
    "kept": lambda recipe: recipe.network.trunk.stages[: recipe.network.trunk.kept_stages],
    "late": lambda recipe: recipe.network.trunk.stages[recipe.network.trunk.kept_stages :],
    "pool": lambda recipe: [recipe.network.pool],
    "decoder": lambda recipe: [recipe.get_submodule("network.decoder")],
    "adapter": lambda recipe: [
        recipe.get_submodule("network.adapter"),
        recipe.get_submodule("network.side_pool"),
    ],
    "side_trunk": lambda recipe: [recipe.get_submodule("network.side_trunk")],
    "side_pool": lambda recipe: [recipe.get_submodule("network.side_pool")],
    "depth_trunk": lambda recipe: [recipe.get_submodule("depth_trunk")],
    "depth_pool": lambda recipe: [recipe.get_submodule("depth_pool")],
    "measured": lambda recipe: [recipe.get_submodule("measured")],
}
IMAGE = ("kept", "late", "pool")
HALLUCINATED, DEPTH = ("side_trunk", "side_pool"), ("depth_trunk", "depth_pool")
DECODED = ("decoder", "adapter")
PARTS_OF = {
    "image-only": IMAGE,
    "hallucination": (*IMAGE, *HALLUCINATED, *DEPTH),
    "bu-tf": (*IMAGE, *DECODED),
    "bu-tf-adapted": (*IMAGE, *DECODED, "measured"),
}
NOT_DEPLOYED = (*DEPTH, "measured")
USED_IN = {"main": IMAGE, "depth": DEPTH, "joint": (*IMAGE, *HALLUCINATED, "depth_trunk")}
"""The parts that a training step makes use of; a step that is not listed uses all."""
ADAPTED_TERMS = ("extra", "measured", "match", "match_extra")
TERMS = {
    "main": ("main", "keep"),
    "depth": ("side",),
    "joint": ("main", "side", "full", "transfer", "keep", "keep_side"),
    "transfer": ("main", "side", "full", "transfer", "keep"),
}
"""The loss terms of a training step by their names in the recipe."""


@dataclass(frozen=True)
class Part:
    """A part of a method's network: how many parameters it has, and how many of these the step changes."""

    parameters: int
    trained: int
    used: bool

    @property
    def state(self) -> str:
        """`learns`, `frozen` or `absent`: used by the step and changed, used only, or not used."""
        return "absent" if not self.used else "learns" if self.trained else "frozen"


@dataclass(frozen=True)
class Step:
    """A training step, or test time: its parts by name, and the loss terms that act in it."""

    name: str
    parts: dict[str, Part]
    terms: tuple[str, ...]

    @property
    def trained(self) -> int:
        """How many parameters it changes."""
        return sum(part.trained for part in self.parts.values())


@dataclass(frozen=True)
class Course:
    """A method's way from ImageNet's weights to its deployed network."""

    method: str
    steps: tuple[Step, ...]
    """The training steps in their order, and test time."""
    trained: int
    """Parameters that any of the training steps changes, those that are not deployed included."""
    deployed: int
    size_ratio: float
    """`deployed` over the parameters of image-only on the same trunk."""


def course(method: str) -> Course:
    """What a method's recipe trains, with the settings that `train` has by default."""
    # The copy of ImageNet's trunk that the keeping term compares with is never trained and not counted.
    recipe = build_recipe(TrainConfig(method=method, sigma_keep=0.0))
    recipe.keep_early_stages()
    changed: set[nn.Parameter] = set()
    steps = []
    for phase in recipe.phases:
        steps.append(training_step(recipe, phase))
        changed.update(parameter for parameter in recipe.parameters() if parameter.requires_grad)
    deployed = count_parameters(recipe.network)
    image_only = count_parameters(recipe.network.trunk) + count_parameters(recipe.network.pool)
    trained = sum(parameter.numel() for parameter in changed)
    return Course(method, (*steps, deployed_step(recipe)), trained, deployed, deployed / image_only)


def training_step(recipe: Recipe, phase: str) -> Step:
    """One training step of a recipe whose early stages are kept; asks the recipe which modules it trains."""
    recipe.requires_grad_(False)
    for module in recipe.trained(phase):
        module.requires_grad_(True)
    recipe.keep_early_stages()
    method = recipe.config.method
    used = USED_IN.get(phase, PARTS_OF[method])
    parts = {name: part(PARTS[name](recipe), name in used) for name in PARTS_OF[method]}
    adapts = method == "bu-tf-adapted" and phase == "transfer"
    return Step(phase, parts, TERMS[phase] + (ADAPTED_TERMS if adapts else ()))


def deployed_step(recipe: Recipe) -> Step:
    """What is left when training is over: nothing changes any more."""
    recipe.requires_grad_(False)
    names = PARTS_OF[recipe.config.method]
    return Step(TEST_TIME, {name: part(PARTS[name](recipe), name not in NOT_DEPLOYED) for name in names}, ())


def part(modules: Sequence[nn.Module], used: bool) -> Part:
    """Count some modules that are one part; `requires_grad` says which of their parameters are changed."""
    trained = sum(p.numel() for module in modules for p in module.parameters() if p.requires_grad)
    return Part(sum(count_parameters(module) for module in modules), trained, used)
