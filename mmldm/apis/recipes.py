"""How a converted model is trained further: data for its conditions.

A base in ``configs/_base_/datasets`` reads images and the conditions of one
kind from a folder of one's own. What depends on the model is changed in it.
"""

from collections.abc import Callable, Mapping
from typing import Any

from mmengine.config import Config

from mmldm.utils.shipped import FOLDER

from .registered import find_class

Content = dict[str, Any]
# Changes of a base's content for a model.
Change = Callable[[Content, Mapping[str, Any]], Content]
# Images of 256x256 pixels in 24 GB; larger ones need fewer, or --amp.
BATCH_SIZES = {'FirstStage': 4, 'LatentDiffusion': 8}
SUBSETS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def data_recipe(
    model: Mapping[str, Any], size: Any = None
) -> tuple[str | None, Content]:
    """The base with the data for a model, and the changes of the base.

    Args:
        model: Config of an editor.
        size: Size of the training images; None for that of the base.

    Returns:
        The base's name below ``configs/_base_``, and the content of a config
        that inherits it. The name is None if there is no base for the model's
        conditions.
    """
    training: Content = dict(global_batch_size=BATCH_SIZES[model['type']])
    if size is not None:
        training['dataset'] = dict(size=size)
    name, change = _recipe(model)
    if name is None:
        return None, {}
    base = f'datasets/{name}.py'
    content = Config.fromfile(FOLDER / 'configs/_base_' / base).to_dict()
    changes = change(content, model)
    for key, value in changes.pop('train_dataloader', {}).items():
        training[key] = {**training.get(key, {}), **value}
    return base, {'train_dataloader': training, **changes}


def how_to_train(model: Mapping[str, Any], config: str) -> str:
    """A sentence on how a converted model is trained further.

    Args:
        model: Config of an editor.
        config: Path of its config file.
    """
    if data_recipe(model)[0] is not None:
        return (
            f'Train it further: python tools/train.py {config} --cfg-options '
            'train_dataloader.dataset.data_root=FOLDER'
        )
    return (
        f'{config} has no training data: add a train_dataloader with the '
        f'fields {", ".join(_fields(model))} of a data sample '
        '(docs/en/data.md) to train it further'
    )


def _recipe(model: Mapping[str, Any]) -> tuple[str | None, Change]:
    """Name of the base for a model, and the changes of the base."""
    if model['type'] == 'FirstStage':
        return 'image-folder', _unchanged
    kinds = [_kind(embedder) for embedder in _embedders(model)]
    if not kinds:
        return 'image-folder-requests', _requests
    if len(kinds) > 1:
        return None, _unchanged
    return RECIPES.get(kinds[0], (None, _unchanged))


def _embedders(model: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return model['conditioner'].get('embedders', [])


def _kind(embedder: Mapping[str, Any]) -> str:
    """The type of an embedder, or of the tokenizer that reads for it."""
    tokenizer = embedder.get('tokenizer')
    reader = tokenizer if isinstance(tokenizer, Mapping) else embedder
    return reader['type']


def _fields(model: Mapping[str, Any]) -> list[str]:
    """The fields of data samples that a model reads."""
    kinds = map(_kind, _embedders(model))
    return [f for kind in kinds for f in find_class(kind).reads]


def _unchanged(content: Content, model: Mapping[str, Any]) -> Content:
    return {}


def _requests(content: Content, model: Mapping[str, Any]) -> Content:
    """Few requests at a time, as the model may be large."""
    return {
        name: dict(batch_size=4, dataset=dict(num_samples=16))
        for name in SUBSETS[1:]
    }


def _classes(content: Content, model: Mapping[str, Any]) -> Content:
    """Requests for all classes of the model; and its rows learn faster.

    A row of the table that gets a new meaning has to move far, and has a
    gradient only where its class is in the batch.
    """
    (embedder,) = _embedders(model)
    null_is_last = embedder.get('null') == 'last'
    classes = dict(num_classes=embedder['num_classes'] - null_is_last)
    found = _requests(content, model)
    for name in SUBSETS[1:]:
        found[name]['dataset'] |= classes
    rows = dict(conditioner=dict(lr_mult=10.0))
    return {
        **found,
        'optim_wrapper': dict(paramwise_cfg=dict(custom_keys=rows)),
    }


def _maps(content: Content, model: Mapping[str, Any]) -> Content:
    """Maps of the model's number of classes."""
    number = _embedders(model)[0]['num_classes']
    return _steps(content, 'LoadLabelMap', num_classes=number)


def _small_images(content: Content, model: Mapping[str, Any]) -> Content:
    """Small images of the size of the model's latents."""
    mults = model['autoencoder'].get('channel_mults', [1])
    factor = 2 ** (len(mults) - 1)
    return _steps(content, 'DegradeBSRGAN', factor=factor)


def _objects(content: Content, model: Mapping[str, Any]) -> Content:
    """As many objects as the model reads."""
    number = _embedders(model)[0]['tokenizer'].get('max_objects', 30)
    return _steps(content, 'ChooseObjects', max_objects=number)


def _steps(content: Content, kind: str, **values: Any) -> Content:
    """The pipelines, with other values in the transforms of one type.

    A config replaces a list of its base as a whole.
    """

    def changed(name: str) -> list[Content]:
        pipeline = content[name]['dataset']['pipeline']
        return [t | values if t['type'] == kind else t for t in pipeline]

    if changed(SUBSETS[0]) == content[SUBSETS[0]]['dataset']['pipeline']:
        return {}
    return {
        name: dict(dataset=dict(pipeline=changed(name))) for name in SUBSETS
    }


# Base and its changes by the type of the only embedder, or its tokenizer.
RECIPES: dict[str, tuple[str, Change]] = {
    'BertTokens': ('image-folder-captions', _unchanged),
    'ClassEmbedder': ('image-folder-classes', _classes),
    'LayoutTokens': ('image-folder-layout', _objects),
    'LowResolution': ('image-folder-sr', _small_images),
    'MaskedImage': ('image-folder-inpaint', _unchanged),
    'PrecomputedFeatures': ('image-folder-features', _unchanged),
    'PrecomputedTokens': ('image-folder-tokens', _unchanged),
    'SemanticMap': ('image-folder-semantic', _maps),
    'TextEncoder': ('image-folder-captions', _unchanged),
}
