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
from torch import Tensor

AUTOENCODER = dict(
    type='AutoencoderKL',
    latent_channels=4,
    channels=32,
    channel_mults=(1, 1),
    num_res_blocks=1,
    mid_attention=False,
)
CLASSES = dict(
    type='Conditioner',
    embedders=[dict(type='ClassEmbedder', num_classes=10, embed_dim=8)],
)
FEATURES = dict(
    type='Conditioner', embedders=[dict(type='GivenFeatures', embed_dim=8)]
)
WORDS = [*'abc', *(f'{letter}</w>' for letter in 'abc')]
START, END = len(WORDS), len(WORDS) + 1
CLIP = dict(
    hidden_size=8,
    intermediate_size=8,
    num_hidden_layers=1,
    num_attention_heads=2,
    projection_dim=8,
)
TEXT_SIZES = dict(
    vocab_size=len(WORDS) + 2,
    max_position_embeddings=6,
    bos_token_id=START,
    eos_token_id=END,
)
# As of the original.
YAML = dict(
    target='ldm.models.diffusion.ddpm.LatentDiffusion',
    params=dict(
        image_size=4,
        channels=4,
        use_ema=False,
        scale_factor=0.5,
        unet_config=dict(
            target='ldm.modules.diffusionmodules.openaimodel.UNetModel',
            params=dict(
                image_size=4,
                in_channels=4,
                out_channels=4,
                model_channels=64,
                attention_resolutions=[],
                num_res_blocks=1,
                channel_mult=[1],
                num_heads=2,
            ),
        ),
        first_stage_config=dict(
            target='ldm.models.autoencoder.AutoencoderKL',
            params=dict(
                embed_dim=4,
                ddconfig=dict(
                    double_z=True,
                    z_channels=4,
                    resolution=8,
                    in_channels=3,
                    out_ch=3,
                    ch=32,
                    ch_mult=[1, 1],
                    num_res_blocks=1,
                    attn_resolutions=[],
                    dropout=0.0,
                ),
                lossconfig=dict(target='torch.nn.Identity'),
            ),
        ),
        cond_stage_config='__is_unconditional__',
    ),
)

DIGITS = """
_base_ = [
    '{root}/configs/_base_/datasets/digits-requests_32x32.py',
    '{root}/configs/_base_/schedules/adamw.py',
    '{root}/configs/_base_/default_runtime.py',
]
model = {model}
train_dataloader = dict(global_batch_size=2, dataset=dict(size=8, indices=4))
val_dataloader = dict(dataset=dict(num_samples=2))
test_dataloader = dict(dataset=dict(num_samples=2))
test_evaluator = []
train_cfg = dict(max_iters=1, val_interval=1)
default_hooks = dict(checkpoint=dict(interval=1))
load_from = '{folder}/class.safetensors'
"""

# A folder of images with annotations; a model without conditions.
DATA = """
_base_ = '{root}/digits.py'
model = dict(
    conditioner=dict(_delete_=True, type='Conditioner'),
    denoiser=dict(context_dim=None))
load_from = '{root}/plain.safetensors'
train_dataloader = dict(dataset=dict(
    _delete_=True, type='ImageFolder', data_root='images', size=8,
    annotations=[{annotation}],
    pipeline=[
        dict(type='LoadImage'), dict(type='ResizeShorterSide'),
        dict(type='Crop', random=False), *{transforms},
        dict(type='PackInputs')]))
"""


def config(
    conditioner: dict[str, Any], context_dim: int | None
) -> dict[str, Any]:
    """Of a latent diffusion model of images of 8 pixels."""
    return dict(
        type='LatentDiffusion',
        autoencoder=AUTOENCODER,
        denoiser=dict(
            type='DenoisingUNet',
            in_channels=4,
            out_channels=4,
            channels=64,
            channel_mults=(1,),
            num_res_blocks=1,
            attn_factors=(1,),
            context_dim=context_dim,
        ),
        conditioner=conditioner,
        diffusion_scheduler=dict(
            type='DiffusionScheduler',
            noise_schedule=dict(type='ScaledLinearBetas'),
            prediction=dict(type='EpsilonPrediction'),
            loss_weighting=dict(type='UniformWeighting'),
            timestep_sampler=dict(type='UniformTimesteps'),
            time_grid=dict(type='LeadingGrid'),
            solver=dict(type='DDIM'),
            num_steps=2,
        ),
        guidance=dict(type='NoGuidance'),
        image_size=8,
    )


def text_conditioner(tokenizer: str) -> dict[str, Any]:
    """By a text encoder of CLIP's."""
    network = dict(TEXT_SIZES, **CLIP, model_type='clip_text_model')
    del network['projection_dim']
    embedder = dict(
        type='TextEncoder', config=network, tokenizer=tokenizer, max_length=6
    )
    return dict(type='Conditioner', embedders=[embedder])


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
    from mmldm.converters import (
        denoiser_to_compvis,
        first_stage_to_compvis,
        model_config,
    )

    ours = model_config(YAML)
    weights = weights_of(ours)

    def part(prefix: str) -> dict[str, Tensor]:
        return {
            name.removeprefix(prefix): weight
            for name, weight in weights.items()
            if name.startswith(prefix)
        }

    unet = denoiser_to_compvis(part('denoiser.'), ours['denoiser'])
    first = first_stage_to_compvis(part('autoencoder.'), ours['autoencoder'])
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
