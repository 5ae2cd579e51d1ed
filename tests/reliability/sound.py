"""Small models in every format that mmldm reads, with nothing wrong.

What poisons them is put into these, so that a refusal is due to the poison:
each must pass its route.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from PIL import Image
from sound_configs import (
    CLASSES,
    CLIP,
    DIGITS,
    FEATURES,
    TEXT_SIZES,
    WORDS,
    YAML,
    config,
    text_conditioner,
)
from torch import Tensor


def weights_of(model_config: dict[str, Any]) -> dict[str, Tensor]:
    """Random ones."""
    from mmengine.registry import DefaultScope

    from mmldm.registry import MODELS

    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmldm'):
        return MODELS.build(json.loads(json.dumps(model_config))).state_dict()


def thinned(value: Any) -> Any:
    """Tensors of the same shapes, one element each: a small file."""
    if isinstance(value, dict):
        return {key: thinned(below) for key, below in value.items()}
    if isinstance(value, list):
        return [thinned(below) for below in value]
    if isinstance(value, Tensor):
        return torch.ones((), dtype=value.dtype).expand(value.shape)
    return value


def write_all(folder: Path) -> None:
    """Every format below ``folder``; call it in a process of its own."""
    folder.mkdir(parents=True)
    write_compvis(folder)
    write_tokenizer(folder / 'tokenizer')
    write_models(folder)
    write_diffusers(folder)
    write_clip(folder / 'clip')
    write_images(folder / 'images')
    write_index(folder)
    write_training(folder)


def write_compvis(folder: Path) -> None:
    """``model.yaml`` and ``model.ckpt`` of the original."""
    from mmldm.converters import model_config
    from mmldm.converters.compvis.denoiser import UNET_KEYS
    from mmldm.converters.compvis.first_stage import FIRST_STAGE_KEYS

    ours = model_config(YAML)
    weights = weights_of(ours)

    def part(prefix: str) -> dict[str, Tensor]:
        return {
            name.removeprefix(prefix): weight
            for name, weight in weights.items()
            if name.startswith(prefix)
        }

    unet = UNET_KEYS.write(part('denoiser.'), ours['denoiser'])
    first = FIRST_STAGE_KEYS.write(part('autoencoder.'), ours['autoencoder'])
    theirs = {
        **{f'model.diffusion_model.{n}': w for n, w in unet.items()},
        **{f'first_stage_model.{n}': w for n, w in first.items()},
    }
    (folder / 'model.yaml').write_text(yaml.safe_dump(dict(model=YAML)))
    content = dict(state_dict=thinned(theirs), global_step=3)
    torch.save(content, folder / 'model.ckpt')
    torch.save(
        content,
        folder / 'legacy.ckpt',
        _use_new_zipfile_serialization=False,
    )


def write_tokenizer(folder: Path) -> None:
    """Of CLIP's kind, as transformers saves it."""
    from transformers import CLIPTokenizer

    folder.mkdir()
    words = [*WORDS, '<|startoftext|>', '<|endoftext|>']
    ids = {word: i for i, word in enumerate(words)}
    (folder / 'vocab.json').write_text(json.dumps(ids))
    (folder / 'merges.txt').write_text('#version: 0.2\n')
    tokenizer = CLIPTokenizer.from_pretrained(folder, model_max_length=6)
    tokenizer.save_pretrained(folder)


def write_models(folder: Path) -> None:
    """A model file of each kind of condition."""
    from mmldm.utils.model_file import write_model_file

    for name, conditioner, dim in (
        ('class', CLASSES, 8),
        ('features', FEATURES, 8),
        ('plain', dict(type='Conditioner'), None),
    ):
        model = config(conditioner, dim)
        path = folder / f'{name}.safetensors'
        write_model_file(path, weights_of(model), model)
    text_model = config(text_conditioner('tokenizer'), 8)
    weights = weights_of(text_model)
    write_model_file(folder / 'text.safetensors', weights, text_model)


def write_training(folder: Path) -> None:
    """``digits.py``, a config, and a checkpoint of one iteration."""
    from children import ROOT, tool

    from mmldm.utils.checkpoint import read_checkpoint, write_checkpoint

    path = folder / 'digits.py'
    model = config(CLASSES, 8)
    path.write_text(DIGITS.format(root=ROOT, model=model, folder=folder))
    work_dir = folder / 'trained'
    tool('train', path, '--work-dir', work_dir)()
    content = thinned(read_checkpoint(work_dir / 'iter_1.pth'))
    write_checkpoint(content, folder / 'class.pth')
    torch.save(
        content, folder / 'legacy.pth', _use_new_zipfile_serialization=False
    )
    shutil.rmtree(work_dir)


def write_diffusers(folder: Path) -> None:
    """A StableDiffusionPipeline, with weights in .bin."""
    from mmldm.apis import init_model
    from mmldm.converters import whole_model
    from mmldm.converters import write_diffusers as write

    model = init_model(folder / 'text.safetensors', device='cpu')
    model.guidance = None
    weights, ours = whole_model(model)
    ours['guidance'] = dict(type='ClassifierFreeGuidance', scale=2.0)
    out = folder / 'diffusers'
    write(weights, ours, out)
    tokenizer = out / 'tokenizer'
    shutil.copytree(folder / 'tokenizer', tokenizer, dirs_exist_ok=True)


def write_clip(folder: Path) -> None:
    """Both networks of a small CLIP."""
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(0)
    vision = dict(CLIP, image_size=16, patch_size=8)
    model = CLIPModel(
        CLIPConfig(
            text_config=CLIP | TEXT_SIZES,
            vision_config=vision,
            projection_dim=8,
        )
    )
    shutil.copytree(folder.parent / 'tokenizer', folder)
    model.save_pretrained(folder)


def write_images(folder: Path) -> None:
    """Four of noise, and captions of them."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for name in 'abcd':
        pixels = rng.integers(0, 256, (12, 12, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f'{name}.png')


def write_index(folder: Path) -> None:
    """Of the images, by the small CLIP."""
    from mmldm.apis.image_index import write_index as write
    from mmldm.apis.retrieval import embed_files, list_images, make_index
    from mmldm.models.conditioners import ImageEncoder as Encoder

    images = str(folder / 'images')
    encoder = Encoder(pretrained=str(folder / 'clip'))
    paths = list_images(images)
    embeddings = embed_files(paths, encoder, 4)
    index = make_index(images, paths, embeddings, encoder)
    write(folder / 'index.safetensors', index)
