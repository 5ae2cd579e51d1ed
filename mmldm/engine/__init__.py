"""Training and testing: runner, loops, optimizer wrapper and hooks."""

from mmldm.compat import register_checkpoint_reader, write_configs_as_data

from .epoch_loop import AddressedEpochTrainLoop
from .generation_loop import GenerationLoop
from .hooks import (
    AddressedSeedHook,
    AtomicCheckpointHook,
    DeadRunHook,
    LatentScaleHook,
    ModuleEMAHook,
    ReferenceMetricsHook,
    RunSummaryHook,
)
from .log_processor import ThroughputLogProcessor
from .loops import AddressedTrainLoop
from .optim_wrapper import AutocastOptimWrapper
from .replicated_model import ReplicatedModel
from .runner import LDMRunner
from .sharded_model import ShardedModel

register_checkpoint_reader()
write_configs_as_data()

__all__ = [
    'AddressedEpochTrainLoop',
    'AddressedSeedHook',
    'AddressedTrainLoop',
    'AtomicCheckpointHook',
    'AutocastOptimWrapper',
    'GenerationLoop',
    'DeadRunHook',
    'LDMRunner',
    'LatentScaleHook',
    'ModuleEMAHook',
    'ReferenceMetricsHook',
    'ReplicatedModel',
    'RunSummaryHook',
    'ShardedModel',
    'ThroughputLogProcessor',
]
