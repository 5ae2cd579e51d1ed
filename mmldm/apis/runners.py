"""The runner of a config.

Tools import this module before they know whether torch is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmengine.config import Config

from mmldm.utils.files import check_checkpoint

if TYPE_CHECKING:
    from mmengine.runner import Runner


def build_runner(cfg: Config) -> Runner:
    """Build the runner of a config.

    Raises:
        FileNotFoundError: If the file of ``load_from`` is missing, or
            the first stage is not trained yet.
        ValueError: If ``runner_type`` is not derived from ``LDMRunner``, the
            model or an argument is missing, or the model is larger than the
            machine's memory.
    """
    from mmldm.engine import LDMRunner
    from mmldm.registry import RUNNERS
    from mmldm.utils.model_size import bounded_networks

    from .config import check_complete
    from .first_stages import check_first_stage
    from .registered import find_class

    kind = cfg.get('runner_type', 'Runner')
    cls = RUNNERS.get(kind) if find_class(kind) else None
    if cls is None or not issubclass(cls, LDMRunner):
        where = f'{kind!r}' if 'runner_type' in cfg else 'missing'
        raise ValueError(
            f"runner_type is {where}: set runner_type='mmldm.LDMRunner', or "
            'a class that derives from it, as configs/_base_/default_runtime'
            '.py does'
        )
    if 'model' not in cfg:
        raise ValueError(
            'the config has no model: inherit one of configs/_base_/models/'
        )
    check_complete(cfg)
    check_first_stage(cfg.model)
    if cfg.get('load_from'):
        check_checkpoint('load_from', cfg.load_from)
    with bounded_networks():
        return RUNNERS.build(cfg)
