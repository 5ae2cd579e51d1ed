"""The trainings of a comparison: a first stage, and a model in its latents."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmldm.utils.shipped import config_path

from ..model_costs import model_costs
from ..run_config import read_run_config

FIRST_STAGE = 'mmldm::autoencoder/autoencoder_kl-f4_1xb16-1k_images-64x64.py'
LDM = 'mmldm::ldm/ldm_kl-f4_1xb32-2k_images-64x64.py'
# Latent channels of a factor, as in the paper's KL models (table 8), but 3
# instead of 2 for factor 2: less could not hold a small image in colour.
CHANNELS = {2: 3, 4: 3, 8: 4, 16: 16, 32: 64}
# Factors of a network's channels, from the finest resolution to the coarsest.
MULTS = (1, 2, 4, 4, 4, 4)
# How often the denoiser halves the latents, all together.
DENOISER_FACTOR = 4
SETTINGS = 'comparison.json'


@dataclass(frozen=True)
class Budget:
    """What is trained on which images.

    Args:
        images: Folder of images.
        size: Side of the images, pixels.
        batch_size: Images of an iteration.
        iters: Iterations of a first stage.
        ldm_iters: Iterations of the diffusion model whose step is the most
            expensive; the others get more, for the same operations.
    """

    images: str
    size: int
    batch_size: int
    iters: int
    ldm_iters: int

    @property
    def data(self) -> dict[str, Any]:
        """Options of a config for the images."""
        dataset = 'train_dataloader.dataset'
        return {
            f'{dataset}.data_root': str(Path(self.images).absolute()),
            f'{dataset}.size': self.size,
            'train_dataloader.global_batch_size': self.batch_size,
        }

    @property
    def lengths(self) -> dict[str, int]:
        """The iterations, by name."""
        return dict(iters=self.iters, ldm_iters=self.ldm_iters)


@dataclass(frozen=True)
class Training:
    """A run of tools/train.py.

    Args:
        config: Name of the config.
        work_dir: Its work directory.
        iters: Number of iterations.
        options: Options of the config, by key.
    """

    config: str
    work_dir: Path
    iters: int
    options: Mapping[str, Any]

    @property
    def done(self) -> bool:
        """Whether the last checkpoint is there."""
        return (self.work_dir / f'iter_{self.iters}.pth').is_file()

    @property
    def all_options(self) -> dict[str, Any]:
        """The options with those that follow from the iterations."""
        warmup = max(1, min(50, self.iters // 10))
        return {
            **self.options,
            'train_cfg.max_iters': self.iters,
            'train_cfg.val_interval': self.iters,
            'default_hooks.checkpoint.interval': -(-self.iters // 4),
            'default_hooks.logger.interval': -(-self.iters // 20),
            'param_scheduler.0.end': warmup,
            'param_scheduler.1.begin': warmup,
        }


@dataclass(frozen=True)
class Stage:
    """A first stage of the comparison.

    Args:
        name: What the report calls it.
        source: Work directory or file of the first stage.
        training: How it is trained; None if it is taken as it is.
        ldm: The training of the diffusion model in its latents; its
            iterations are set by :func:`plan_stages`.
    """

    name: str
    source: Path
    training: Training | None
    ldm: Training


def plan_stages(
    factors: Sequence[int],
    sources: Sequence[str],
    budget: Budget,
    work_dir: Path,
) -> list[Stage]:
    """The first stages to compare; diffusion models have no iterations yet.

    Args:
        factors: Factors of first stages to train, in :data:`CHANNELS`.
        sources: First stages that are trained already.
        budget: See :class:`Budget`.
        work_dir: Folder of all trainings.

    Raises:
        ValueError: If the images are too small for a factor, there are fewer
            than two stages, two have one name, or the folder has a comparison
            of other images, lengths or first stages.
    """
    if len(factors) + len(sources) < 2:
        raise ValueError(
            'one first stage cannot be compared: give several factors, or '
            'first stages that are trained'
        )
    for factor in factors:
        if budget.size % (factor * DENOISER_FACTOR):
            raise ValueError(
                f'size={budget.size} is no multiple of '
                f'{DENOISER_FACTOR * factor}, which factor={factor} needs: '
                'change one of them'
            )
    settings = {**budget.data, **budget.lengths, **_named(factors, sources)}
    _note_settings(settings, work_dir)
    stages = []
    for factor in factors:
        name = f'kl-f{factor}'
        training = _first_stage(factor, budget, work_dir / name)
        ldm = _ldm(training.work_dir, budget, work_dir / f'ldm_{name}')
        stages.append(Stage(name, training.work_dir, training, ldm))
    for source in map(Path, sources):
        name = _name(source)
        ldm = _ldm(source.absolute(), budget, work_dir / f'ldm_{name}')
        stages.append(Stage(name, source, None, ldm))
    return stages


def _name(source: Path) -> str:
    """What the report calls a first stage that is trained already."""
    return source.stem if source.is_file() else source.name


def _named(factors: Sequence[int], sources: Sequence[str]) -> dict[str, str]:
    """Where each first stage comes from, by its name.

    Raises:
        ValueError: If two have one name, and thus one folder.
    """
    found = {f'first stage kl-f{factor}': 'trained here' for factor in factors}
    for source in map(Path, sources):
        key, path = f'first stage {_name(source)}', str(source.absolute())
        if key in found:
            raise ValueError(
                f'{source}: another {key} is compared too: rename one of them'
            )
        found[key] = path
    return found


def _note_settings(settings: Mapping[str, Any], work_dir: Path) -> None:
    """Refuse a folder whose trainings differ from those that are planned."""
    path, before = work_dir / SETTINGS, {}
    if path.is_file():
        before = json.loads(path.read_text())
    for key, value in settings.items():
        if before.get(key, value) != value:
            raise ValueError(
                f'{work_dir} has trainings with {key}={before[key]!r}, '
                f'not {value!r}: choose another work_dir'
            )
    work_dir.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**before, **settings}, indent=2) + '\n')


def _first_stage(factor: int, budget: Budget, work_dir: Path) -> Training:
    options = {
        **budget.data,
        'model.autoencoder.latent_channels': CHANNELS[factor],
        'model.autoencoder.channel_mults': MULTS[: factor.bit_length()],
        'val_evaluator': [dict(type='ReconstructionMetrics')],
    }
    return Training(FIRST_STAGE, work_dir, budget.iters, options)


def _ldm(source: Path, budget: Budget, work_dir: Path) -> Training:
    options = {
        **budget.data,
        'model.autoencoder_checkpoint': str(source.absolute()),
        'val_dataloader.dataset.num_samples': 8,
        'val_dataloader.batch_size': 8,
    }
    return Training(LDM, work_dir, budget.ldm_iters, options)


def step_operations(training: Training, size: int) -> int:
    """Operations of a training step of a diffusion model, for an image."""
    cfg = read_run_config(
        str(config_path(training.config)),
        training.options,
        str(training.work_dir),
    )
    costs = model_costs(cfg.model.to_dict(), (size, size))
    return next(c.operations for c in costs if c.name == 'training step')


def iterations_of_equal_cost(
    operations: Sequence[int], fewest: int
) -> list[int]:
    """Iterations of trainings whose steps have these operations.

    The most expensive one gets ``fewest``.
    """
    most = max(operations)
    return [round(fewest * most / each) for each in operations]


def train(training: Training) -> None:
    """Train, or go on with a training that was interrupted.

    Raises:
        ValueError: If the training fails, or was longer before.
    """
    files = training.work_dir.glob('iter_*.pth')
    longest = max((int(file.stem[5:]) for file in files), default=0)
    if longest > training.iters:
        raise ValueError(
            f'{training.work_dir} was trained for {longest} iterations, but '
            f'equal compute asks for {training.iters}: choose another '
            'work_dir, or remove this folder'
        )
    if training.done:
        return
    options = [f'{k}={v!r}' for k, v in training.all_options.items()]
    command = [sys.executable, '-m', 'mmldm', 'train', training.config]
    command += ['--work-dir', str(training.work_dir), '--resume']
    status = subprocess.run([*command, '--cfg-options', *options]).returncode
    if status:
        raise ValueError(
            f'the training in {training.work_dir} failed with status '
            f'{status}; its last lines say why. The same command goes on '
            'from there'
        )
