"""The first stage's architecture, read from its checkpoint."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmldm.converters import is_diffusers
from mmldm.registry import MODELS
from mmldm.utils.checkpoint import read_checkpoint
from mmldm.utils.model_file import read_model_file
from mmldm.utils.shipped import PREFIX, config_path, shipped_configs
from mmldm.utils.signatures import arguments_of
from mmldm.utils.stored_config import stored_config

from .converted import MODEL_NAME, weights_in
from .referenced_files import REFERENCE
from .untrusted_config import check_untrusted

KEY = 'autoencoder'
# Arguments about the use of a first stage, which its training does not fix.
OWN = ('latent_scale', 'latent_shift', 'tile_size')


def take_first_stage(model: Any) -> None:
    """Complete a config's ``autoencoder`` from the checkpoint it names.

    The architecture belongs to the first stage: keys that the model's config
    does not state are read from the checkpoint, except those that only
    training uses.

    For a work directory that does not exist yet, but has the name of a config
    of ours, the arguments come from that config: steps that need no weights
    can then run.

    Args:
        model: Config of an editor, changed in place. It is left unchanged if
            it names no checkpoint, or a missing one, which the editor
            refuses when it is built.

    Raises:
        ValueError: If the config states an architecture that differs from
            the checkpoint's, or the checkpoint cannot be read.
    """
    source = model.get(REFERENCE) if isinstance(model, Mapping) else None
    if not isinstance(source, str):
        return
    there = Path(source).exists()
    path = _file(Path(source)) if there else None
    stored = _stored(path) if path else None
    if not there and (name := shipped_first_stage(source)):
        stored = Config.fromfile(config_path(name)).model.to_dict()[KEY]
    stated = model.get(KEY) or {}
    if not stored or not isinstance(stated, Mapping):
        return
    if path and path.name == MODEL_NAME:
        model[REFERENCE] = str(path)
    if 'type' not in stated:
        model[KEY] = {**_architecture(stored), **stated}
    elif there:
        _check_same(stated, stored, source)


def shipped_first_stage(source: str) -> str | None:
    """The config that trains the first stage of a work directory.

    Args:
        source: The directory, which has the config's name; it need not exist.

    Returns:
        A name such as ``mmldm::autoencoder/NAME.py``; None if no config of
        this name comes with mmldm.
    """
    name = f'{PREFIX}autoencoder/{Path(source).name}.py'
    return name if name in shipped_configs() else None


def check_first_stage(model: Mapping[str, Any]) -> None:
    """Raise if the model needs a first stage of ours that is not trained yet.

    Args:
        model: Config of an editor.

    Raises:
        FileNotFoundError: If it is not trained yet; names the config to train.
    """
    source = model.get(REFERENCE)
    if not isinstance(source, str) or Path(source).exists():
        return
    if (name := shipped_first_stage(source)) is not None:
        raise FileNotFoundError(
            f'model.{REFERENCE}={source!r} does not exist: train it first '
            f'(python tools/train.py {name}), or name the file or the work '
            'directory of another first stage'
        )


def _file(source: Path) -> Path | None:
    """The weights file; None if a folder has none."""
    if not source.is_dir():
        return source
    if is_diffusers(source):
        raise ValueError(
            f'model.{REFERENCE}={source} is a folder of diffusers: convert '
            'it by tools/model_converters/diffusers_to_mmldm.py, and set '
            f'model.{REFERENCE} to the folder that it writes; or use it as it '
            "is, model.autoencoder=dict(type='DiffusersAutoencoder', "
            f"pretrained='{source}')"
        )
    return weights_in(source)


def _stored(path: Path) -> dict[str, Any] | None:
    """The first stage's config in a file; None if it has weights only."""
    if path.suffix == '.safetensors':
        model = read_model_file(path)[1]
    else:
        model = (stored_config(read_checkpoint(path)) or {}).get('model')
    if not isinstance(model, Mapping) or KEY not in model:
        return None
    check_untrusted(model, str(path), may_read=True)
    return dict(model[KEY])


def _check_same(
    stated: Mapping[str, Any], stored: Mapping[str, Any], source: str
) -> None:
    """Raise if two configs of one first stage contradict each other."""
    for key, ours, theirs in _contradictions(stated, stored, KEY):
        raise ValueError(
            f'model.{key}={ours!r}, but the first stage in {source} was '
            f'trained with {theirs!r}: remove model.{KEY}, as the '
            f'checkpoint has it, or set another model.{REFERENCE}'
        )


def _contradictions(
    stated: Mapping[str, Any], stored: Mapping[str, Any], path: str
) -> Iterator[tuple[str, Any, Any]]:
    """(dotted key, stated, stored) for arguments that change the network."""
    ours, theirs = _architecture(stated), _architecture(stored)
    cls = _class(ours)
    if cls is None:
        return  # refused by the config's check
    if cls is not _class(theirs):
        yield f'{path}.type', stated['type'], stored['type']
        return
    parts = getattr(cls, 'part_types', {})
    defaults = {k: p.default for k, p in arguments_of(cls)[0].items()}
    for key in [k for k in ours | theirs if k != 'type']:
        one, other = (c.get(key, defaults.get(key)) for c in (ours, theirs))
        both = isinstance(one, Mapping) and isinstance(other, Mapping)
        if key in parts and both:
            yield from _contradictions(one, other, f'{path}.{key}')
        elif _plain(one) != _plain(other):
            yield f'{path}.{key}', one, other


def _architecture(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config with the arguments of the architecture only."""
    cls = _class(config)
    kinds = getattr(cls, 'part_types', {})
    left_out = {*OWN, *getattr(cls, 'training_arguments', ())}
    return {
        key: _architecture({'type': kinds[key], **value})
        if key in kinds
        else value
        for key, value in config.items()
        if key not in left_out
    }


def _class(config: Mapping[str, Any]) -> type | None:
    kind = config['type']
    return MODELS.get(kind) if isinstance(kind, str) else kind


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
