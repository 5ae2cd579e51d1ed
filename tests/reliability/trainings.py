"""Trainings that take a second, of both stages."""

import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from children import ROOT, Child, command, tool

NUM_ITERATIONS = 16

RUNTIME = """
train_dataloader = dict(
    global_batch_size=4, num_workers={workers},
    persistent_workers={persistent})
val_dataloader = dict(dataset=dict({few}))
test_dataloader = dict(dataset=dict({few}))
train_cfg = dict(max_iters={iterations}, val_interval={iterations})
default_hooks = dict(
    logger=dict(interval=1), checkpoint=dict(interval=1, max_keep_ckpts=2))
"""
FIRST_STAGE = (
    """
_base_ = [
    '{root}/configs/_base_/datasets/digits_32x32.py',
    '{root}/configs/_base_/schedules/adam_autoencoder-gan.py',
    '{root}/configs/_base_/default_runtime.py',
]
model = dict(
    type='FirstStage',
    autoencoder=dict(
        type='AutoencoderVQ', latent_channels=4, channels=32,
        channel_mults=(1, 1), num_res_blocks=1, mid_attention=False,
        quantizer=dict(
            num_codes=64, ema_decay=0.9, kmeans_init=True, revive_after=1)),
    regularization_weight=1.0,
    adversarial=dict(
        type='AdversarialLoss', weight=0.5, start=2, lead=1, ramp=2,
        discriminator=dict(
            type='PatchDiscriminator', channels=8, num_layers=2)))
"""
    + RUNTIME
    + """
default_hooks.update(ema=dict(type='ModuleEMAHook', decay=0.9))
"""
)
LATENT_DIFFUSION = (
    """
_base_ = '{root}/configs/ldm/ldm_kl-f4_class_1xb64-600_digits-32x32.py'
model = dict(
    autoencoder_checkpoint='{folder}/first_stage.pth',
    denoiser=dict(channels=64, num_res_blocks=1, attn_factors=()),
    diffusion_scheduler=dict(num_steps=2))
"""
    + RUNTIME
    + """
default_hooks.update(latent_scale=dict(num_samples=8), ema=dict(decay=0.9))
"""
)
CONFIGS = dict(first=FIRST_STAGE, latent=LATENT_DIFFUSION)
FEW = dict(first='indices=4', latent='num_samples=4')
# Trains the first stage that the latent diffusion model's config names.
AUTOENCODER = 'configs/autoencoder/autoencoder_kl-f4_1xb32-300_digits-32x32.py'


class Training(NamedTuple):
    """What is trained, and how.

    Attributes:
        stage: 'first', with a discriminator, or 'latent'.
        workers: Processes that load data.
        processes: That train, by gloo.
    """

    stage: str
    workers: int
    processes: int

    def __str__(self) -> str:
        return f'{self.stage}, {self.workers} workers, {self.processes} proc.'


# The first four have every choice twice.
TRAININGS = [
    Training('first', 2, 1),
    Training('latent', 0, 2),
    Training('first', 0, 2),
    Training('latent', 2, 1),
    Training('latent', 2, 2),
    Training('first', 0, 1),
    Training('latent', 0, 1),
    Training('first', 2, 2),
]


def write_config(
    training: Training, folder: Path, iterations: int = NUM_ITERATIONS
) -> Path:
    """The config file of a training, and the first stage that it names."""
    folder.mkdir(parents=True, exist_ok=True)
    if training.stage == 'latent':
        write_first_stage(folder / 'first_stage.pth')
    path = folder / 'config.py'
    text = CONFIGS[training.stage].format(
        root=ROOT,
        folder=folder,
        workers=training.workers,
        persistent=training.workers > 0,
        few=FEW[training.stage],
        iterations=iterations,
    )
    path.write_text(text)
    return path


def write_first_stage(path: Path) -> None:
    """A first stage of random weights."""
    from mmengine.config import Config

    from mmldm.registry import MODELS
    from mmldm.utils.checkpoint import write_checkpoint
    from mmldm.utils.stored_config import store_config

    torch.manual_seed(0)
    cfg = Config.fromfile(ROOT / AUTOENCODER)
    weights = MODELS.build(cfg.model).state_dict()
    meta = dict(cfg=store_config(cfg.to_dict()))
    write_checkpoint(dict(state_dict=weights, meta=meta), path)


def start(
    training: Training, config: Path, work_dir: Path, log: Path, real: bool
) -> list[Child]:
    """Begin or go on; one child a process.

    Args:
        training: What ``config`` is of.
        config: Of :func:`write_config`.
        work_dir: Of the training.
        log: For what is printed.
        real: By the commands that users type, not by forks.
    """
    arguments = (config, '--work-dir', work_dir, '--resume')
    folder = config.parent
    if training.processes == 1:
        work = (
            command('train.py', *arguments)
            if real
            else tool('train', *arguments)
        )
        return [Child(work, log, folder)]
    if real:
        work = command('dist_train.sh', config, 2, *arguments[1:])
        environment = dict(PORT=str(free_port()))
        return [Child(work, log, folder, environment)]
    arguments += ('--launcher', 'pytorch')
    return [
        Child(tool('train', *arguments), log, folder, environment)
        for environment in ranks(training.processes)
    ]


def ranks(number: int) -> Iterator[Mapping[str, str]]:
    """What torchrun tells each process."""
    port = str(free_port())
    for rank in range(number):
        yield dict(
            RANK=str(rank),
            LOCAL_RANK=str(rank),
            WORLD_SIZE=str(number),
            LOCAL_WORLD_SIZE=str(number),
            MASTER_ADDR='127.0.0.1',
            MASTER_PORT=port,
        )


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]
