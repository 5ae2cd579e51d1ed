"""Everything that the numbers of a test depend on."""

import os
import platform
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.dist import get_world_size

from mmldm import __version__
from mmldm.models.feature_networks import FeatureNetwork
from mmldm.utils.newest_checkpoint import newest_checkpoint
from mmldm.utils.weight_files import file_hash

# Parts of a model's config that say how it samples.
SAMPLING = ('solver', 'time_grid', 'num_steps')
AROUND = ('guidance', 'guide_checkpoint', 'windows')


def protocol_of_test(runner: Any, checkpoint: str) -> dict[str, Any]:
    """What a test did, as plain values.

    Args:
        runner: The runner, after its test.
        checkpoint: File or work directory of the tested weights.

    Returns:
        ``model``, ``sampling`` (of latent diffusion models), ``data``,
        ``judges`` (feature networks and what they compare with) and
        ``environment``.
    """
    model = runner.cfg.model.to_dict()
    protocol = dict(
        model=_model(runner, checkpoint),
        sampling=_sampling(model) | _of_test(runner),
        data=_data(runner.cfg.test_dataloader.dataset.to_dict()),
        judges=[
            _judge(metric)
            for metric in runner.test_evaluator.metrics
            if isinstance(getattr(metric, 'network', None), FeatureNetwork)
        ],
        environment=_environment(),
    )
    return {name: part for name, part in protocol.items() if part}


def _judge(metric: Any) -> dict[str, Any]:
    """Feature network, and the real images or their file."""
    reference = getattr(metric, 'reference', None)
    if isinstance(reference, Mapping):
        reference = _data(reference)
    own = {} if reference is None else dict(reference=reference)
    return {**metric.network.protocol, **own}


def _model(runner: Any, checkpoint: str) -> dict[str, Any]:
    path = Path(checkpoint)
    if path.is_dir():
        path = newest_checkpoint(path) or path
    return dict(
        config=Path(runner.cfg.filename).stem,
        checkpoint=str(path),
        sha256=file_hash(path) if path.is_file() else None,
    )


def _sampling(model: Mapping[str, Any]) -> dict[str, Any]:
    """Solver, grid, steps and guidance; empty for other models."""
    scheduler = model.get('diffusion_scheduler') or {}
    parts = {name: scheduler[name] for name in SAMPLING if name in scheduler}
    around = {name: model.get(name) for name in AROUND}
    return parts | {k: v for k, v in around.items() if v is not None}


def _of_test(runner: Any) -> dict[str, Any]:
    """The settings in which a test samples otherwise than its model."""
    loop = getattr(runner, 'test_loop', None)
    sampling = getattr(loop, 'sampling', None)
    return {} if sampling is None else sampling.settings


def _data(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """The data set without its pipeline, whose transforms only pack."""
    return {
        name: value
        for name, value in dataset.items()
        if name not in ('pipeline', '_scope_')
    }


def _environment() -> dict[str, Any]:
    device = get_device()
    name = platform.processor() or platform.machine()
    if device == 'cuda':
        name = torch.cuda.get_device_name()
    return dict(
        mmldm=__version__,
        torch=torch.__version__,
        python=platform.python_version(),
        device=f'{device}: {name}, {os.cpu_count()} CPU cores',
        processes=get_world_size(),
        date=str(date.today()),
    )
