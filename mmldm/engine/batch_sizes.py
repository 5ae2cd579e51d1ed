"""Batch size of a step, and the learning rate scaled by it."""

from logging import Logger

from mmengine.optim import OptimWrapper

from mmldm.utils import check_divisible

from .optim_wrapper import named_wrappers


def scale_rates(
    optim_wrapper: OptimWrapper,
    global_batch_size: int,
    base_batch_size: int,
    logger: Logger,
) -> None:
    """Multiply learning rates by (images in a step) / ``base_batch_size``.

    Goyal et al. 2017 (arXiv:1706.02677). Unlike mmengine's method, this one
    counts all batches that the optimizer accumulates for a step.

    Args:
        optim_wrapper: The wrapper, before its schedules are built.
        global_batch_size: Images in an iteration, of all processes.
        base_batch_size: Batch size that the config's learning rate is for.
        logger: Logs the factor of each optimizer.
    """
    for key, wrapper in named_wrappers(optim_wrapper).items():
        images = global_batch_size * wrapper._accumulative_counts
        factor = images / base_batch_size
        for group in wrapper.param_groups:
            group['lr'] = group['lr'] * factor
        logger.info(
            f'{key}: learning rate times {factor:g}, as a step takes {images} '
            f'images and auto_scale_lr.base_batch_size is {base_batch_size}'
        )


def note_base_rates(optim_wrapper: OptimWrapper) -> None:
    """Store in every group the learning rate at its schedule's start.

    A resumed training compares it with the config's.
    """
    for wrapper in named_wrappers(optim_wrapper).values():
        for group in wrapper.param_groups:
            group.setdefault('initial_lr', group['lr'])


def take_single_images(dataloader: dict) -> None:
    """Let each process take single images, for tools that encode them.

    A global batch would have to be divisible by the number of processes.
    """
    dataloader.pop('global_batch_size', None)
    dataloader['batch_size'] = 1


def share_batch(dataloader: dict, world_size: int) -> None:
    """Turn a ``global_batch_size`` into this process's ``batch_size``.

    Raises:
        ValueError: If it is not a multiple of the number of processes, or
            both sizes are given.
    """
    size = dataloader.pop('global_batch_size', None)
    if size is None:
        return
    if 'batch_size' in dataloader:
        raise ValueError(
            f'train_dataloader has global_batch_size={size} and '
            f'batch_size={dataloader["batch_size"]}, which is that of one '
            'process: set train_dataloader.global_batch_size='
            f'{dataloader["batch_size"] * world_size} instead'
        )
    check_divisible(
        'train_dataloader.global_batch_size',
        size,
        'the number of processes',
        world_size,
    )
    dataloader['batch_size'] = size // world_size
