"""Small pipelines as diffusers saves them, and images by them and by ours."""

import json
from types import SimpleNamespace

import diffusers
import pytest
import torch
from safetensors.torch import load_file

from mmldm.converters import read_diffusers
from mmldm.models.data_preprocessors.ldm_data_preprocessor import to_images
from mmldm.registry import DIFFUSION_SCHEDULERS, MODELS
from mmldm.structures import LDMDataSample
from mmldm.utils.checkpoint import load_weights

UNET = dict(
    sample_size=8,
    in_channels=3,
    out_channels=3,
    layers_per_block=1,
    block_out_channels=(32, 64),
    down_block_types=('DownBlock2D', 'AttnDownBlock2D'),
    up_block_types=('AttnUpBlock2D', 'UpBlock2D'),
)
CROSS = UNET | dict(
    down_block_types=('DownBlock2D', 'CrossAttnDownBlock2D'),
    up_block_types=('CrossAttnUpBlock2D', 'UpBlock2D'),
    cross_attention_dim=16,
)
STAGE = dict(
    block_out_channels=(32, 64),
    down_block_types=('DownEncoderBlock2D',) * 2,
    up_block_types=('UpDecoderBlock2D',) * 2,
    latent_channels=3,
    sample_size=16,
)
STABLE = dict(
    beta_schedule='scaled_linear',
    beta_start=0.0015,
    beta_end=0.0195,
    clip_sample=False,
    set_alpha_to_one=False,
    steps_offset=1,
)
STEPS = 5


def vq(**options):
    return diffusers.VQModel(**STAGE | options)


def ddim(**options):
    return diffusers.DDIMScheduler(**STABLE | options)


def unconditional(folder):
    return diffusers.LDMPipeline(
        vqvae=vq(scaling_factor=1.0),
        unet=diffusers.UNet2DModel(**UNET),
        scheduler=ddim(),
    )


def defaults(folder):
    """What diffusers takes where little is said: estimates are clipped."""
    return diffusers.LDMPipeline(
        vqvae=vq(),
        unet=diffusers.UNet2DModel(**UNET),
        scheduler=diffusers.DDIMScheduler(),
    )


def super_resolution(folder):
    return diffusers.LDMSuperResolutionPipeline(
        vqvae=vq(scaling_factor=1.0),
        unet=diffusers.UNet2DModel(**UNET | dict(in_channels=6)),
        scheduler=ddim(beta_end=0.0155),
    )


def kl(levels):
    return diffusers.AutoencoderKL(
        **STAGE
        | dict(
            block_out_channels=(32,) * levels,
            down_block_types=('DownEncoderBlock2D',) * levels,
            up_block_types=('UpDecoderBlock2D',) * levels,
            latent_channels=4,
            sample_size=8 * 2 ** (levels - 1),
            scaling_factor=0.3,
        )
    )


def cross(**options):
    return diffusers.UNet2DConditionModel(
        **CROSS | dict(in_channels=4, out_channels=4) | options
    )


def text_to_image(folder):
    """With 8 pixels a latent position, as it takes for granted."""
    from diffusers.pipelines.latent_diffusion import (
        pipeline_latent_diffusion as library,
    )
    from transformers import BertTokenizer

    words = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'a', 'red', 'bus']
    (folder / 'vocab.txt').write_text('\n'.join(words))
    bert = library.LDMBertConfig(
        vocab_size=len(words),
        encoder_layers=2,
        encoder_ffn_dim=64,
        encoder_attention_heads=2,
        head_dim=4,
        d_model=16,
    )
    return diffusers.LDMTextToImagePipeline(
        vqvae=kl(4),
        bert=library.LDMBertModel(bert).eval(),
        tokenizer=BertTokenizer(str(folder / 'vocab.txt')),
        unet=cross(),
        scheduler=ddim(),
    )


def stable_diffusion(folder, **options):
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    letters = 'abdersu'
    words = [*letters, *(f'{letter}</w>' for letter in letters)]
    words += ['<|startoftext|>', '<|endoftext|>']
    vocabulary = {word: i for i, word in enumerate(words)}
    (folder / 'vocab.json').write_text(json.dumps(vocabulary))
    (folder / 'merges.txt').write_text('#version: 0.2\n')
    tokenizer = CLIPTokenizer.from_pretrained(folder, model_max_length=77)
    clip = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        bos_token_id=len(words) - 2,
        eos_token_id=len(words) - 1,
    )
    return diffusers.StableDiffusionPipeline(
        vae=kl(2),
        text_encoder=CLIPTextModel(clip).eval(),
        tokenizer=tokenizer,
        unet=cross(**options),
        scheduler=diffusers.PNDMScheduler(
            **{k: v for k, v in STABLE.items() if k != 'clip_sample'},
            skip_prk_steps=True,
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def stable_diffusion_2(folder):
    return stable_diffusion(
        folder, attention_head_dim=(4, 8), use_linear_projection=True
    )


PIPELINES = [
    unconditional,
    defaults,
    super_resolution,
    text_to_image,
    stable_diffusion,
    stable_diffusion_2,
]


def quiet(pipeline):
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def noise(model):
    """What a pipeline draws of seed 0."""
    generator = torch.Generator().manual_seed(0)
    channels = model.autoencoder.latent_channels
    return torch.randn(1, channels, 8, 8, generator=generator)


LOW = torch.randint(
    256, (3, 8, 8), generator=torch.Generator().manual_seed(1)
).to(torch.uint8)
CAPTION = 'a red bus'


def theirs_draws(pipeline, scale=1.0):
    """Its image, uint8 (3, H, W)."""
    name = type(pipeline).__name__
    said = {}
    if 'Super' in name:
        said['image'] = LOW[None] / 127.5 - 1
    if 'bert' in pipeline.components or 'vae' in pipeline.components:
        said |= dict(prompt=CAPTION, guidance_scale=scale)
    image = quiet(pipeline)(
        generator=torch.Generator().manual_seed(0),
        num_inference_steps=STEPS,
        output_type='np',
        **said,
    ).images[0]
    image = torch.as_tensor(image).permute(2, 0, 1)
    return (image * 255).round().to(torch.uint8)


def build(config, weights):
    model = MODELS.build(config).eval()
    load_weights(model, weights, 'the folder')
    return model


@torch.no_grad()
def ours_draws(model, scale=None):
    model.diffusion_scheduler.num_steps = STEPS
    if scale is not None:
        guidance = dict(type='ClassifierFreeGuidance', scale=scale)
        model.guidance = DIFFUSION_SCHEDULERS.build(guidance)
    sample = LDMDataSample(img_lq=LOW, caption=CAPTION)
    z = model.sample([sample], start=noise(model))
    return to_images(model.autoencoder.decode(z))[0]


def assert_same_image(found, expected):
    assert found.shape == expected.shape
    difference = found.int() - expected.int()
    assert difference.abs().max() <= 2
    assert expected.float().std() > 5  # it shows something


def tensors(folder):
    return {
        f'{path.parent.name}/{name}': weight
        for path in folder.rglob('*.safetensors')
        for name, weight in load_file(path).items()
    }


def saved(pipeline, folder):
    """As a folder, of weights that no branch is silent with."""
    for part in pipeline.components.values():
        for weight in getattr(part, 'parameters', tuple)():
            weight.data += 0.02 * torch.randn_like(weight)
    pipeline.save_pretrained(folder)
    return folder


def read(folder):
    found = read_diffusers(folder)
    return found.weights, found.config


@pytest.fixture(params=PIPELINES, ids=lambda f: f.__name__)
def pipeline(request, tmp_path):
    return request.param(tmp_path)


@pytest.fixture
def small():
    """Builds pipelines, saves them, draws, compares."""
    return SimpleNamespace(
        assert_same_image=assert_same_image,
        build=build,
        kl=kl,
        ours_draws=ours_draws,
        read=read,
        saved=saved,
        stable_diffusion=stable_diffusion,
        super_resolution=super_resolution,
        tensors=tensors,
        text_to_image=text_to_image,
        theirs_draws=theirs_draws,
        unconditional=unconditional,
        vq=vq,
    )
