from .addressed_seed_hook import AddressedSeedHook
from .atomic_checkpoint_hook import AtomicCheckpointHook
from .dead_run_hook import DeadRunHook
from .latent_scale_hook import LatentScaleHook
from .module_ema_hook import ModuleEMAHook
from .reference_metrics_hook import ReferenceMetricsHook
from .run_summary_hook import RunSummaryHook
from .spectra_hook import SpectraHook
from .training_info_hook import TrainingInfoHook
from .validation_loss_hook import ValidationLossHook

__all__ = [
    'AddressedSeedHook',
    'AtomicCheckpointHook',
    'DeadRunHook',
    'LatentScaleHook',
    'ModuleEMAHook',
    'ReferenceMetricsHook',
    'RunSummaryHook',
    'SpectraHook',
    'TrainingInfoHook',
    'ValidationLossHook',
]
