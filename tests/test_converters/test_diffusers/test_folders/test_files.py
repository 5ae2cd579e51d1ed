"""Every kind of file that diffusers writes, and those it never did."""

import json

import pytest
import torch

from mmldm.converters import read_diffusers, write_diffusers

pytestmark = [
    pytest.mark.filterwarnings('ignore:.*needs a null condition'),
    pytest.mark.filterwarnings('ignore:.*cancels the time embedding'),
]


@pytest.mark.parametrize('variant', [None, 'fp16'])
@pytest.mark.parametrize('safe', [True, False])
def test_every_kind_of_file_is_read(small, safe, variant, tmp_path):
    pipeline = small.unconditional(tmp_path)
    pipeline.save_pretrained(
        tmp_path / 'theirs', safe_serialization=safe, variant=variant
    )
    found = read_diffusers(tmp_path / 'theirs')
    name = 'up.0.blocks.0.res.conv1.weight'
    assert torch.equal(
        found.weights[f'denoiser.{name}'],
        pipeline.unet.state_dict()['up_blocks.0.resnets.0.conv1.weight'],
    )
    small.build(found.config, found.weights)


def test_shards_are_read(small, tmp_path):
    pipeline = small.unconditional(tmp_path)
    pipeline.save_pretrained(tmp_path / 'theirs', max_shard_size='400KB')
    assert len([*(tmp_path / 'theirs/unet').glob('*-of-*')]) > 1
    found = read_diffusers(tmp_path / 'theirs')
    small.build(found.config, found.weights)


@pytest.mark.parametrize('kind', ['vq', 'kl'])
def test_a_first_stage_alone(small, kind, tmp_path):
    theirs = small.vq() if kind == 'vq' else small.kl(3)
    theirs.save_pretrained(tmp_path / 'theirs')
    found = read_diffusers(tmp_path / 'theirs')
    assert found.config['type'] == 'FirstStage'
    model = small.build(found.config, found.weights)
    x = torch.rand(1, 3, 16, 16) * 2 - 1
    with torch.no_grad():
        z = model.autoencoder.encode(x)
        raw = theirs.encode(x)
        raw = raw.latents if kind == 'vq' else raw.latent_dist.mode()
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


def broken(small, folder, name, change):
    """A folder of a pipeline with one file changed, or removed."""
    small.saved(small.unconditional(folder), folder / 'theirs')
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
        ('model_index.json', b'{', 'is not valid JSON'),
        ('unet/config.json', b'{"a": 9300000000000000000}', 'of 19 digits'),
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
        (
            'unet/config.json',
            dict(block_out_channels=7),
            'block_out_channels=7 must',
        ),
        ('unet/config.json', dict(in_channels='3'), "in_channels='3' must be"),
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
    small, name, change, message, tmp_path
):
    folder = broken(small, tmp_path, name, change)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        read_diffusers(folder)


def test_a_missing_part_is_named(small, tmp_path):
    folder = small.saved(small.unconditional(tmp_path), tmp_path / 'theirs')
    for path in (folder / 'vqvae').iterdir():
        path.unlink()
    (folder / 'vqvae').rmdir()
    with pytest.raises(FileNotFoundError, match='vqvae does not exist, but'):
        read_diffusers(folder)


class Poison:
    """What runs code when it is read as a pickle."""

    def __reduce__(self):
        return (print, ('poisoned',))


def test_nothing_in_a_file_is_executed(small, tmp_path, capsys):
    pipeline = small.unconditional(tmp_path)
    pipeline.save_pretrained(tmp_path / 'theirs', safe_serialization=False)
    path = tmp_path / 'theirs/unet/diffusion_pytorch_model.bin'
    torch.save({'conv_in.weight': Poison()}, path)
    with pytest.raises(ValueError, match='diffusion_pytorch_model.bin cannot'):
        read_diffusers(tmp_path / 'theirs')
    assert 'poisoned' not in capsys.readouterr().out


def test_an_index_names_no_other_folders(small, tmp_path):
    pipeline = small.unconditional(tmp_path)
    pipeline.save_pretrained(tmp_path / 'theirs', max_shard_size='400KB')
    (path,) = (tmp_path / 'theirs/unet').glob('*.index.json')
    path.write_text(json.dumps(dict(weight_map={'a': '../../b.safetensors'})))
    with pytest.raises(ValueError, match='no weight_map of files that lie'):
        read_diffusers(tmp_path / 'theirs')


def test_a_shift_that_the_pipeline_ignores_is_left_out(small, tmp_path):
    pipeline = small.stable_diffusion(tmp_path)
    pipeline.vae.register_to_config(shift_factor=0.5)
    folder = small.saved(pipeline, tmp_path / 'theirs')
    found = read_diffusers(folder)
    assert found.config['autoencoder']['latent_shift'] == 0
    (note,) = (n for n in found.notes if 'shift_factor' in n)
    assert 'shift_factor=0.5 of vae is left out: this pipeline' in note


def test_the_first_stage_of_another_pipeline_is_named(small, tmp_path):
    pipeline = small.stable_diffusion(tmp_path)
    folder = small.saved(pipeline, tmp_path / 'theirs')
    path = folder / 'model_index.json'
    index = json.loads(path.read_text())
    index['_class_name'] = 'StableDiffusionXLPipeline'
    path.write_text(json.dumps(index))
    with pytest.raises(ValueError, match='XL.* alone, such as .*theirs/vae'):
        read_diffusers(folder)
    assert read_diffusers(folder / 'vae').config['type'] == 'FirstStage'
