"""How many images a step takes, and the learning rate that follows."""

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
    """Multiply learning rates by images of a step / ``base_batch_size``.

    Goyal et al. 2017 (arXiv:1706.02677). mmengine's counts one batch where
    the optimizer accumulates several.

    Args:
        optim_wrapper: Before its schedules are built.
        global_batch_size: Images of one iteration, of all processes.
        base_batch_size: That the learning rate of the config is meant for.
        logger: Is told the factor of each optimizer.
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
    """Let every group know the learning rate that its schedule starts from.

    A resumed training sees by it whether the config has another one.
    """
    for wrapper in named_wrappers(optim_wrapper).values():
        for group in wrapper.param_groups:
            group.setdefault('initial_lr', group['lr'])


def share_batch(dataloader: dict, world_size: int) -> None:
    """Turn a ``global_batch_size`` into this process's ``batch_size``.

    Raises:
        ValueError: If it does not divide, or both are given.
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
