"""Values of a run's config that follow from other values in it."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmengine.config import Config

from mmldm.utils.signatures import arguments_of

from ..registered import OWN, find_class
from .source import inherited_files

# Arguments of the training's data set that validation, test and their metrics
# inherit.
SHARED = ('data_root', 'size', 'buckets')
# Arguments of a metric that are the training's data set.
REFERENCE = ('reference', 'data')
# Arguments of metrics that are other data sets.
METRIC_DATASETS = ('dataset', 'train_dataset', 'test_dataset')


def fill_base_batch_size(cfg: Config) -> None:
    """Set the batch size that the learning rate of a config file is meant for.

    It is the batch size of the file that the learning rate is inherited from,
    unless a file sets another one: a child that changes the batch alone
    keeps the base. Call this before options change the batch size.

    Args:
        cfg: The config as it was read; ``auto_scale_lr.base_batch_size`` is
            set in it.
    """
    loader = cfg.get('train_dataloader')
    scaling = cfg.get('auto_scale_lr') or {}
    if not isinstance(loader, Mapping) or not isinstance(scaling, Mapping):
        return  # refused by the config's check
    size = loader.get('global_batch_size')
    if size is None or 'base_batch_size' in scaling:
        return
    cfg.auto_scale_lr = {'base_batch_size': _tuned_batch(cfg, size), **scaling}


def _tuned_batch(cfg: Config, size: int) -> int:
    """The batch size of the last ancestor with this learning rate.

    Args:
        cfg: A config; one without a file has no ancestors.
        size: Its own batch size.
    """
    wanted = [*_rates(cfg.get('optim_wrapper'))]
    if cfg.filename is None:
        return size
    for file in inherited_files(cfg.filename)[1:]:
        ancestor = Config.fromfile(file)
        loader = ancestor.get('train_dataloader')
        batch = loader and loader.get('global_batch_size')
        rates = [*_rates(ancestor.get('optim_wrapper'))]
        if rates and rates != wanted:
            break  # what is before it is another tuning
        if batch and rates == wanted:
            size = batch
    return size


def _rates(node: Any) -> Iterator[float]:
    """The learning rates of all optimizers of a config."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key == 'lr':
                yield value
            else:
                yield from _rates(value)


def leave_out_optimizers(cfg: Config) -> None:
    """Remove optimizers and schedules of parts of the model that are None.

    With ``model.adversarial=None``, a first stage needs only one optimizer.

    Args:
        cfg: The config with its options, changed in place.
    """
    model = cfg.get('model')
    if not isinstance(model, Mapping):
        return  # refused by the config's check
    for name in ('optim_wrapper', 'param_scheduler'):
        parts = cfg.get(name)
        if isinstance(parts, Mapping):
            for part in [key for key in parts if key in model]:
                if model[part] is None:
                    del parts[part]


def share_with_training(cfg: Config) -> None:
    """Fill in arguments of data that validation, test and metrics leave open.

    They are taken from the training's data set.

    Args:
        cfg: A checked config, changed in place.
    """
    training = (cfg.get('train_dataloader') or {}).get('dataset', {})
    scope = cfg.get('default_scope') or OWN
    for dataset in _other_datasets(cfg):
        open_keys = _left_open(dataset, scope, SHARED)
        own_size = 'size' not in open_keys  # is the only one
        for key in open_keys:
            if key != 'buckets' or ('buckets' in training and not own_size):
                dataset[key] = training.get(key)
    for name in ('val_evaluator', 'test_evaluator'):
        metrics = cfg.get(name) or []
        for metric in [metrics] if isinstance(metrics, dict) else metrics:
            for key in _left_open(metric, scope, REFERENCE):
                metric[key] = training or None


def _other_datasets(cfg: Config) -> Iterator[dict[str, Any]]:
    """The data sets of validation and test, and those of their metrics."""
    for phase in ('val', 'test'):
        yield (cfg.get(f'{phase}_dataloader') or {}).get('dataset', {})
        metrics = cfg.get(f'{phase}_evaluator') or []
        for metric in [metrics] if isinstance(metrics, dict) else metrics:
            for key in (*METRIC_DATASETS, *REFERENCE):
                if isinstance(metric.get(key), dict):
                    yield metric[key]


def _left_open(
    node: Mapping[str, Any], scope: str, keys: Sequence[str]
) -> list[str]:
    """Those of some arguments that a class has, but its config does not set.

    Args:
        node: Config of a data set or a metric.
        scope: Scope in which its type is looked up.
        keys: Names of arguments.
    """
    kind = node.get('type')
    cls = find_class(kind, scope) if isinstance(kind, str) else kind
    arguments = arguments_of(cls)[0] if inspect.isclass(cls) else {}
    return [
        key
        for key in keys
        if node.get(key, ...) is None
        or (
            key not in node
            and key in arguments
            and arguments[key].default in (None, inspect.Parameter.empty)
        )
    ]


def say_image_size(config: Config | Mapping[str, Any]) -> None:
    """Set the image size of a model to that of its training if it has none.

    Args:
        config: A whole config; its ``model`` is changed in place.
    """
    node = config.get('train_dataloader')
    for key in ('dataset', 'size'):
        node = node.get(key) if isinstance(node, Mapping) else None
    model = config['model']
    said = isinstance(node, int | list | tuple)
    if model.get('type') == 'LatentDiffusion' and said:
        model.setdefault('image_size', node)
