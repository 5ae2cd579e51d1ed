"""Training and testing: runner, loops, optimizer wrapper and hooks."""

from mmldm.compat import register_checkpoint_reader, write_configs_as_data

from .generation_loop import GenerationLoop
from .hooks import (
    AddressedSeedHook,
    AtomicCheckpointHook,
    LatentScaleHook,
    ModuleEMAHook,
    ReferenceMetricsHook,
    RunSummaryHook,
)
from .loops import AddressedEpochTrainLoop, AddressedTrainLoop
from .optim_wrapper import AutocastOptimWrapper
from .runner import LDMRunner

register_checkpoint_reader()
write_configs_as_data()

__all__ = [
    'AddressedEpochTrainLoop',
    'AddressedSeedHook',
    'AddressedTrainLoop',
    'AtomicCheckpointHook',
    'AutocastOptimWrapper',
    'GenerationLoop',
    'LDMRunner',
    'LatentScaleHook',
    'ModuleEMAHook',
    'ReferenceMetricsHook',
    'RunSummaryHook',
]
