"""The same images as by pipelines that diffusers saved."""

import json

import diffusers
import pytest
import torch
from safetensors.torch import load_file

from mmldm.converters import read_diffusers, write_diffusers
from mmldm.models.data_preprocessors.ldm_data_preprocessor import to_images
from mmldm.registry import DIFFUSION_SCHEDULERS, MODELS
from mmldm.structures import LDMDataSample
from mmldm.utils.checkpoint import load_weights

# Guidance of weights that nobody trained, and the smallest widths.
pytestmark = [
    pytest.mark.filterwarnings('ignore:.*needs a null condition'),
    pytest.mark.filterwarnings('ignore:.*cancels the time embedding'),
]
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


@pytest.fixture(params=PIPELINES, ids=lambda f: f.__name__)
def pipeline(request, tmp_path):
    return request.param(tmp_path)


def scales(pipeline):
    """Of guidance, where there is any."""
    has_text = {'bert', 'text_encoder'} & {*pipeline.components}
    return (1.0, 3.0) if has_text else (None,)


def test_a_folder_of_theirs_draws_the_same_here(pipeline, tmp_path):
    folder = saved(pipeline, tmp_path / 'theirs')
    found = read_diffusers(folder)
    assert found.notes == []
    model = build(found.config, found.weights)
    for scale in scales(pipeline):
        assert_same_image(
            ours_draws(model, scale), theirs_draws(pipeline, scale)
        )


def test_what_is_read_is_written_again(pipeline, tmp_path):
    """No tensor and no key changes, and plain diffusers draws with it."""
    folder, out_dir = saved(pipeline, tmp_path / 'theirs'), tmp_path / 'back'
    found = read_diffusers(folder)
    written, *notes = write_diffusers(found.weights, found.config, out_dir)
    assert written.startswith(f'{type(pipeline).__name__}: ')
    assert all('guidance_scale' in note for note in notes)
    before, after = tensors(folder), tensors(out_dir)
    assert {n.replace('text_model.', '') for n in after} == {*before}
    for name, weight in after.items():
        assert torch.equal(weight, before[name.replace('text_model.', '')])
    back = diffusers.DiffusionPipeline.from_pretrained(out_dir)
    assert_same_configs(pipeline, back)
    assert_same_image(theirs_draws(back, 3.0), theirs_draws(pipeline, 3.0))


def assert_same_configs(before, after):
    assert before.components.keys() == after.components.keys()
    for name, part in before.components.items():
        if not hasattr(part, 'config'):
            continue
        was, now = (
            dict(getattr(p.components[name].config, 'to_dict', dict)())
            or dict(p.components[name].config)
            for p in (before, after)
        )
        for key in was.keys() - UNSAID:
            same = json.dumps(was[key]) == json.dumps(now[key])
            assert same or (key, was[key]) == ('vq_embed_dim', None), key


# Where it is from, and what training alone reads.
UNSAID = {
    '_diffusers_version',
    '_name_or_path',
    '_use_default_values',
    'attention_dropout',
    'dropout',
    'dtype',
    'transformers_version',
}


@pytest.mark.parametrize('variant', [None, 'fp16'])
@pytest.mark.parametrize('safe', [True, False])
def test_every_kind_of_file_is_read(safe, variant, tmp_path):
    pipeline = unconditional(tmp_path)
    pipeline.save_pretrained(
        tmp_path / 'theirs', safe_serialization=safe, variant=variant
    )
    found = read_diffusers(tmp_path / 'theirs')
    name = 'up.0.blocks.0.res.conv1.weight'
    assert torch.equal(
        found.weights[f'denoiser.{name}'],
        pipeline.unet.state_dict()['up_blocks.0.resnets.0.conv1.weight'],
    )
    build(found.config, found.weights)


def test_shards_are_read(tmp_path):
    pipeline = unconditional(tmp_path)
    pipeline.save_pretrained(tmp_path / 'theirs', max_shard_size='400KB')
    assert len([*(tmp_path / 'theirs/unet').glob('*-of-*')]) > 1
    found = read_diffusers(tmp_path / 'theirs')
    build(found.config, found.weights)


@pytest.mark.parametrize('kind', [vq, kl])
def test_a_first_stage_alone(kind, tmp_path):
    theirs = kind() if kind is vq else kind(3)
    theirs.save_pretrained(tmp_path / 'theirs')
    found = read_diffusers(tmp_path / 'theirs')
    assert found.config['type'] == 'FirstStage'
    model = build(found.config, found.weights)
    x = torch.rand(1, 3, 16, 16) * 2 - 1
    with torch.no_grad():
        z = model.autoencoder.encode(x)
        raw = theirs.encode(x)
        raw = raw.latents if kind is vq else raw.latent_dist.mode()
    torch.testing.assert_close(
        z, raw * theirs.config.scaling_factor, rtol=1e-4, atol=1e-4
    )
    write_diffusers(found.weights, found.config, tmp_path / 'back')
    back, report = type(theirs).from_pretrained(
        tmp_path / 'back', output_loading_info=True
    )
    assert not (report['missing_keys'] or report['unexpected_keys'])
    for name, weight in theirs.state_dict().items():
        assert torch.equal(back.state_dict()[name], weight), name


def test_super_resolution_scales_no_latents(tmp_path):
    """Whatever its first stage says, by default 0.18215."""
    pipeline = super_resolution(tmp_path)
    pipeline.vqvae = vq()
    found = read_diffusers(saved(pipeline, tmp_path / 'theirs'))
    model = build(found.config, found.weights)
    assert_same_image(ours_draws(model), theirs_draws(pipeline))


def test_the_scheduler_of_stable_diffusion_is_as_its_pipeline_has_it(tmp_path):
    """Which sets two keys, whatever its file says."""
    folder = saved(stable_diffusion(tmp_path), tmp_path / 'theirs')
    path = folder / 'scheduler/scheduler_config.json'
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | dict(steps_offset=0)))
    grid = read_diffusers(folder).config['diffusion_scheduler']['time_grid']
    assert grid['offset'] == 1


def test_what_draws_nothing_is_left_out_and_named(tmp_path):
    folder = saved(stable_diffusion(tmp_path), tmp_path / 'theirs')
    path = folder / 'model_index.json'
    checker = ['stable_diffusion', 'StableDiffusionSafetyChecker']
    content = json.loads(path.read_text()) | dict(safety_checker=checker)
    path.write_text(json.dumps(content))
    (note,) = read_diffusers(folder).notes
    assert note.startswith('safety_checker is left out')


def broken(folder, name, change):
    """A folder of a pipeline with one file changed, or removed."""
    saved(unconditional(folder), folder / 'theirs')
    path = folder / 'theirs' / name
    if change is None:
        path.unlink()
    elif isinstance(change, dict):
        content = json.loads(path.read_text())
        path.write_text(json.dumps(content | change))
    else:
        path.write_bytes(change)
    return folder / 'theirs'


WEIGHTS = 'unet/diffusion_pytorch_model.safetensors'


@pytest.mark.parametrize(
    'name, change, message',
    [
        ('model_index.json', None, 'neither model_index.json'),
        ('model_index.json', b'{', 'is no JSON'),
        ('model_index.json', b'[]', 'holds no dict'),
        (
            'model_index.json',
            dict(_class_name='DDPMPipeline'),
            "_class_name='DDPMPipeline' .* cannot be converted; these can: L",
        ),
        (
            'model_index.json',
            dict(controlnet=['diffusers', 'ControlNetModel']),
            "the part 'controlnet' of model_index.json is not known",
        ),
        ('unet/config.json', None, 'unet/config.json does not exist'),
        ('unet/config.json', dict(act_fn='gelu'), "unet: .*act_fn='gelu' has"),
        ('unet/config.json', dict(block_out_channels=7), 'of a wrong kind'),
        ('unet/config.json', dict(in_channels='3'), 'of a wrong kind'),
        (WEIGHTS, None, 'unet has no weights: diffusion_pytorch_model.safete'),
        (WEIGHTS, b'cut off', 'diffusion_pytorch_model.safetensors cannot be'),
        ('vqvae/config.json', dict(num_vq_embeddings=9), 'vqvae: .*quantize'),
        (
            'scheduler/scheduler_config.json',
            dict(prediction_type='x'),
            "scheduler: DDIMScheduler.prediction_type='x' has no counterpart",
        ),
    ],
)
def test_a_folder_that_cannot_be_read_is_refused(
    name, change, message, tmp_path
):
    folder = broken(tmp_path, name, change)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        read_diffusers(folder)


def test_a_missing_part_is_named(tmp_path):
    folder = saved(unconditional(tmp_path), tmp_path / 'theirs')
    for path in (folder / 'vqvae').iterdir():
        path.unlink()
    (folder / 'vqvae').rmdir()
    with pytest.raises(FileNotFoundError, match='vqvae does not exist, of wh'):
        read_diffusers(folder)


class Poison:
    """What runs code when it is read as a pickle."""

    def __reduce__(self):
        return (print, ('poisoned',))


def test_nothing_in_a_file_is_executed(tmp_path, capsys):
    pipeline = unconditional(tmp_path)
    pipeline.save_pretrained(tmp_path / 'theirs', safe_serialization=False)
    path = tmp_path / 'theirs/unet/diffusion_pytorch_model.bin'
    torch.save({'conv_in.weight': Poison()}, path)
    with pytest.raises(ValueError, match='diffusion_pytorch_model.bin cannot'):
        read_diffusers(tmp_path / 'theirs')
    assert 'poisoned' not in capsys.readouterr().out


def test_an_index_names_no_other_folders(tmp_path):
    pipeline = unconditional(tmp_path)
    pipeline.save_pretrained(tmp_path / 'theirs', max_shard_size='400KB')
    (path,) = (tmp_path / 'theirs/unet').glob('*.index.json')
    path.write_text(json.dumps(dict(weight_map={'a': '../../b.safetensors'})))
    with pytest.raises(ValueError, match='no weight_map of files that lie'):
        read_diffusers(tmp_path / 'theirs')
