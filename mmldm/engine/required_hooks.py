"""Hooks that every training needs."""

from collections.abc import Sequence
from typing import NamedTuple

from mmengine.hooks import EMAHook, Hook
from mmengine.runner import Runner

from .hooks import AddressedSeedHook, ModuleEMAHook


class _Required(NamedTuple):
    """A hook that a training needs.

    Args:
        name: The hook's key in ``default_hooks``.
        types: Classes that serve as this hook; the first is the usual one.
        reason: The consequence if the hook is missing.
    """

    name: str
    types: tuple[type[Hook], ...]
    reason: str


SEED = _Required(
    'seed',
    (AddressedSeedHook,),
    'a resumed training would not equal one without interruption',
)
AVERAGE = _Required(
    'ema',
    (ModuleEMAHook, EMAHook),
    'no running average of the weights would be judged and published',
)


def check_required_hooks(runner: Runner) -> None:
    """Raise if a required hook is missing and not removed by name.

    A config that replaces ``default_hooks`` or ``custom_hooks`` loses the
    hooks of its base.

    Args:
        runner: The runner, before training.

    Raises:
        ValueError: Names the hook, and how to add it or train without it.
    """
    wanted = [SEED]
    if getattr(runner.bare_model, 'needs_average', False):
        wanted.append(AVERAGE)
    named = runner.cfg.get('default_hooks') or {}
    for hook in wanted:
        if hook.name not in named and not _has(runner.hooks, hook.types):
            raise ValueError(
                f'default_hooks.{hook.name} is missing: {hook.reason}: set '
                f'default_hooks=dict({hook.name}=dict('
                f"type='{hook.types[0].__name__}')), or "
                f'default_hooks=dict({hook.name}=None) to train without it'
            )


def _has(hooks: Sequence[Hook], types: tuple[type[Hook], ...]) -> bool:
    return any(isinstance(hook, types) for hook in hooks)
