"""Loading of models from configs, model files, checkpoints and folders."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import Tensor, nn

from mmldm.converters import is_diffusers, read_diffusers
from mmldm.models.editors import complete_model
from mmldm.registry import MODELS
from mmldm.utils.checkpoint import load_weights, read_checkpoint, weights_of
from mmldm.utils.devices import available_device
from mmldm.utils.files import check_file
from mmldm.utils.model_size import bounded_networks
from mmldm.utils.shipped import config_path
from mmldm.utils.stored_config import read_stored_config
from mmldm.utils.unfilled import UnfilledNetworks

from .adapter_base import read_whole_model, take_adapter_base
from .class_names import keep_class_names, trained_names
from .config import check_config, read_config
from .config.derived import say_image_size
from .converted import MODEL_NAME, content_of, weights_in
from .first_stages import take_first_stage
from .network_trial import try_networks
from .referenced_files import first_stage_beside, locate_files
from .registered import training_parts
from .tokenizer_folders import check_files, locate_tokenizers
from .trained_sizes import trained_sizes
from .untrusted_config import check_untrusted

Source = str | Path
Weights = dict[str, Tensor]
# Chooses the weights from the content of a file.
Pick = Callable[[Mapping[str, Any]], Weights]


class Found(NamedTuple):
    """A model's config, weights and source, and facts of its training."""

    cfg: Config
    weights: Weights
    source: Source
    class_names: Sequence[str] = ()
    sizes: Sequence[tuple[int, int]] = ()


def init_model(
    source: Source,
    checkpoint: Source | None = None,
    device: str | torch.device | None = None,
) -> nn.Module:
    """Load a model with trained weights, ready for use.

    Losses that only training needs are left out. ``model.cfg`` is the
    config that it was built from.

    Args:
        source: One of: a config file, or the name of one that comes with
            mmldm, such as ``mmldm::ldm/NAME.py``; a folder that a converter
            wrote; a model file (``.safetensors`` with its config), such as
            ``tools/model_converters/publish_model.py`` writes; a training
            checkpoint; a work directory, whose newest checkpoint is taken; a
            folder of diffusers.
        checkpoint: With a config file: the file, or folder, of its
            weights. With a folder: a file to take instead of the folder's.
        device: Device of the model; None for the GPU, if there is one.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If the source is none of these, config and weights do not
            fit, or a weights file asks for something that is refused;
            nothing in such a file is executed.
    """
    device = available_device(device)
    return assemble(find_model(source, checkpoint), device)


def build_model(
    cfg: Config,
    checkpoint: Source,
    device: str | torch.device | None = None,
) -> nn.Module:
    """Build a config's model with trained weights; see :func:`init_model`.

    Args:
        cfg: Config with a ``model``. Its relative paths of other files are
            searched from the checkpoint's folder upwards, and become absolute
            where they are found.
        checkpoint: A checkpoint, or a work directory, whose newest one is
            taken.
        device: Device of the model; None for the GPU, if there is one.

    Raises:
        FileNotFoundError, ValueError: If the checkpoint cannot be read or
            does not fit the config.
    """
    device = available_device(device)
    locate_files(cfg.model, checkpoint)
    take_first_stage(cfg.model)
    take_adapter_base(cfg)
    return assemble(_found(cfg, checkpoint), device)


def find_model(
    source: Source, checkpoint: Source | None = None, pick: Pick = weights_of
) -> Found:
    """Find config and weights of a model; see :func:`init_model`.

    Args:
        source: Source of the config.
        checkpoint: Source of the weights; None if ``source`` has them.
        pick: Chooses the weights from the content of a file.
    """
    source = config_path(source)
    if source.is_dir():
        return _find_in_folder(source, checkpoint, pick)
    if not source.exists():
        raise FileNotFoundError(
            f'{source} does not exist: give a config file, a model file, a '
            'training checkpoint or a folder with them'
        )
    check_file('model', source)
    if source.suffix == '.py':
        return _find_by_config(source, checkpoint, pick)
    if checkpoint is not None:
        raise ValueError(
            f'{source} is not a config file, but checkpoint={checkpoint} is '
            'given: omit checkpoint, or give a config file as source'
        )
    if source.suffix == '.safetensors':
        return _find_in_model_file(source, pick)
    if source.suffix == '.pth':
        return _find_in_checkpoint(source, pick)
    raise ValueError(
        f'{source} is not a config file (.py), model file (.safetensors) or '
        'training checkpoint (.pth): convert a checkpoint of the original '
        'code by tools/model_converters/compvis_to_mmldm.py'
    )


def _find_in_folder(
    folder: Path, checkpoint: Source | None, pick: Pick
) -> Found:
    """Find a model in a folder of a converter, a training or diffusers.

    A ``config.py`` in the folder is not executed: the model file and each
    checkpoint hold their config as data.
    """
    if is_diffusers(folder):
        return _find_in_diffusers(folder, checkpoint, pick)
    own = weights_in(folder)
    if own is None:
        raise ValueError(
            f'{folder} is not a folder of a model: it has no {MODEL_NAME}, no '
            'iter_*.pth, and, for diffusers, no model_index.json or '
            'config.json: give config file and checkpoint by name'
        )
    find = (
        _find_in_model_file if own.name == MODEL_NAME else _find_in_checkpoint
    )
    if checkpoint is None:
        return find(own, pick)
    return find(own, weights_of)._replace(
        weights=pick(content_of(checkpoint)), source=checkpoint
    )


def _find_in_diffusers(
    folder: Path, checkpoint: Source | None, pick: Pick
) -> Found:
    """Convert the model of a diffusers folder in memory."""
    if checkpoint is not None:
        raise ValueError(
            f'{folder} is a folder of diffusers, which has weights, but '
            f'checkpoint={checkpoint} is given: omit checkpoint, or convert '
            'the folder by tools/model_converters/diffusers_to_mmldm.py'
        )
    if (folder / 'tokenizer').is_dir():
        check_files(folder / 'tokenizer', folder)
    config, weights, notes = read_diffusers(folder)
    for note in notes:
        warnings.warn(f'{folder}: {note}', stacklevel=5)
    return Found(_as_config(config), pick(weights), folder)


def _find_by_config(
    path: Path, checkpoint: Source | None, pick: Pick
) -> Found:
    if checkpoint is None:
        raise ValueError(
            f'{path} is a config without weights: give checkpoint, a file or '
            'a work directory'
        )
    cfg = read_config(path)
    if not isinstance(cfg.get('model'), Mapping):
        raise ValueError(f'{path} has no model: set model')
    locate_files(cfg.model, checkpoint)
    take_first_stage(cfg.model)
    take_adapter_base(cfg)
    check_config(cfg, {})
    return _found(cfg, checkpoint, pick)


def _find_in_model_file(path: Path, pick: Pick) -> Found:
    weights, config = read_whole_model(path)
    if config is None:
        raise ValueError(
            f'{path} holds weights without a config: give the config file as '
            'source, and this file as checkpoint'
        )
    first_stage = first_stage_beside(path, config)
    check_untrusted(
        {k: v for k, v in config.items() if k not in first_stage}, str(path)
    )
    config |= first_stage
    locate_tokenizers(config, [path.parent])
    return Found(_as_config(config), pick(weights), path)


def _find_in_checkpoint(path: Path, pick: Pick) -> Found:
    """Find a model in a training checkpoint, which has its config as JSON."""
    # Optimizers and other weights are not read.
    checkpoint = read_checkpoint(path, mapped=True)
    meta = checkpoint.get('meta')
    text = meta.get('cfg') if isinstance(meta, dict) else None
    remedy = 'give the config file as source, and this file as checkpoint'
    if not isinstance(text, str):
        raise ValueError(f'{path} holds no config: {remedy}')
    try:
        config = read_stored_config(text)
    except ValueError as error:
        raise ValueError(f'{path}: {error}: {remedy}') from error
    check_untrusted(config.get('model'), str(path), may_read=True)
    locate_files(config['model'], path)
    say_image_size(config)
    cfg, names = _as_config(config['model']), trained_names(checkpoint)
    sizes = trained_sizes(checkpoint)
    return Found(cfg, pick(checkpoint), path, names, sizes)


def _as_config(model: Mapping[str, Any]) -> Config:
    """A config that has nothing but a model."""
    return Config(dict(model=dict(model)))


def _found(cfg: Config, checkpoint: Source, pick: Pick = weights_of) -> Found:
    """A config with the weights of a checkpoint."""
    content = content_of(checkpoint)
    facts = trained_names(content), trained_sizes(content)
    return Found(cfg, pick(content), checkpoint, *facts)


def assemble(found: Found, device: torch.device) -> nn.Module:
    """Build the model without the parts that only training needs.

    Raises:
        ValueError: If the parts or the weights do not fit.
    """
    say_image_size(found.cfg)
    config = dict(found.cfg.model)
    if found.sizes and config.get('type') == 'LatentDiffusion':
        config.setdefault('trained_sizes', found.sizes)
    unused = training_parts(config)
    weights = {
        name: weight
        for name, weight in found.weights.items()
        if name.partition('.')[0] not in unused
    }
    try_networks(config, weights, found.source)
    try:
        with (
            DefaultScope.overwrite_default_scope('mmldm'),
            bounded_networks(),
            UnfilledNetworks(),
        ):
            model = MODELS.build(
                {k: v for k, v in config.items() if k not in unused}
            )
    except (ValueError, OSError):
        raise
    # A constructor may raise anything if its config does not fit.
    except Exception as error:
        raise ValueError(
            f'{found.source}: its model cannot be built '
            f'({type(error).__name__}: {error})'
        ) from error
    load_weights(model, weights, found.source)
    found.cfg.model = complete_model(config, model)
    keep_class_names(found.cfg.model, model, found.class_names)
    model.cfg = found.cfg
    return model.to(device).eval()
