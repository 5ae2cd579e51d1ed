"""Learning rates of a training, without running it."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.config import Config

from mmldm.registry import PARAM_SCHEDULERS


def learning_rates(cfg: Config, num_points: int = 500) -> dict[str, list]:
    """The learning rate over a training.

    Args:
        cfg: A config whose schedules count iterations.
        num_points: Points of the curves, at most.

    Returns:
        Points (iteration, rate), by the name of the optimizer; the name is
        empty if there is one.

    Raises:
        ValueError: If there is no training, or a schedule counts epochs,
            whose length depends on the data.
    """
    if not cfg.get('train_cfg'):
        raise ValueError('the config has no train_cfg: give one of a training')
    iterations = cfg.train_cfg.get('max_iters')
    if iterations is None:
        raise ValueError(
            'train_cfg counts epochs, whose length depends on the data: set '
            "train_cfg.type='IterBasedTrainLoop' and train_cfg.max_iters"
        )
    schedules = cfg.get('param_scheduler') or []
    wrappers = cfg.optim_wrapper
    if 'optimizer' in wrappers:
        wrappers = {'': wrappers}
    curves = {}
    for name, wrapper in wrappers.items():
        if not isinstance(wrapper, Mapping) or 'optimizer' not in wrapper:
            continue
        own = schedules
        if isinstance(own, Mapping) and 'type' not in own:
            own = own.get(name, [])
        own = [own] if isinstance(own, Mapping) else own
        rate = wrapper['optimizer']['lr']
        curves[name] = _curve(rate, own, iterations, num_points)
    return curves


def _curve(
    rate: float,
    schedules: Sequence[Mapping[str, Any]],
    iterations: int,
    num_points: int,
) -> list[tuple[int, float]]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], rate)
    built = []
    for schedule in schedules:
        if schedule.get('by_epoch', True):
            raise ValueError(
                f'param_scheduler: {schedule["type"]} counts epochs, whose '
                'length depends on the data: set by_epoch=False'
            )
        built.append(
            PARAM_SCHEDULERS.build(
                # As the Runner, which ends it with the training.
                {'end': iterations, **schedule},
                default_args=dict(optimizer=optimizer),
            )
        )
    every = max(1, iterations // num_points)
    points = []
    optimizer.step()  # torch warns otherwise
    for i in range(iterations):
        if i % every == 0 or i == iterations - 1:
            points.append((i + 1, optimizer.param_groups[0]['lr']))
        for schedule in built:
            schedule.step()
    return points
