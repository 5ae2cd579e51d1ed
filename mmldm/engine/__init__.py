"""How models are trained and run: runner, loop, optimizer wrapper, hooks."""

from mmldm.compat import register_checkpoint_reader

from .hooks import (
    AddressedSeedHook,
    AtomicCheckpointHook,
    LatentScaleHook,
    ModuleEMAHook,
    ReferenceMetricsHook,
)
from .loops import AddressedEpochTrainLoop, AddressedTrainLoop
from .optim_wrapper import AutocastOptimWrapper
from .runner import LDMRunner

register_checkpoint_reader()

__all__ = [
    'AddressedEpochTrainLoop',
    'AddressedSeedHook',
    'AddressedTrainLoop',
    'AtomicCheckpointHook',
    'AutocastOptimWrapper',
    'LDMRunner',
    'LatentScaleHook',
    'ModuleEMAHook',
    'ReferenceMetricsHook',
]
