"""demo/edit_image.py, run as the script is, on a tiny model."""

import importlib.util
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config

from mmldm.apis import run_tool
from mmldm.models.editors import LatentDiffusion
from mmldm.registry import MODELS
from mmldm.utils.checkpoint import write_checkpoint

ROOT = Path(__file__).parents[2]
CONFIG = """
_base_ = '{root}/configs/ldm/ldm_kl-f4_class_1xb64-600_digits-32x32.py'
model = dict(
    autoencoder=dict(
        type='AutoencoderKL', latent_channels=4, channels=32,
        channel_mults=(1, 2, 2), num_res_blocks=1, mid_attention=False),
    autoencoder_checkpoint=None,
    denoiser=dict(num_res_blocks=1, attn_factors=()),
    diffusion_scheduler=dict(num_steps=2))
"""


# Its latents are the pixels themselves.
PIXELS = "model['autoencoder'] = dict(type='{}')".format('IdentityAutoencoder')


@pytest.fixture
def tiny(request, tmp_path, awaken):
    """Config, checkpoint and an image of 16x8 pixels.

    The parameter of an indirect fixture is a line at the end of the config.
    """
    config = tmp_path / 'tiny.py'
    line = getattr(request, 'param', '')
    config.write_text(CONFIG.format(root=ROOT) + line)
    model = MODELS.build(Config.fromfile(config).model)
    checkpoint = tmp_path / 'tiny.pth'
    write_checkpoint(
        dict(state_dict=awaken(model.denoiser) and model.state_dict()),
        checkpoint,
    )
    image = tmp_path / 'image.png'
    pixels = np.random.default_rng(0).integers(256, size=(8, 16, 3))
    cv2.imwrite(str(image), pixels.astype(np.uint8))
    return str(config), str(checkpoint), str(image)


@pytest.fixture
def edit(monkeypatch, tmp_path, tiny):
    """Runs the script; gives the picture and the results, BGR."""
    path = ROOT / 'demo' / 'edit_image.py'
    spec = importlib.util.spec_from_file_location('edit_image', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    out = tmp_path / 'out' / 'picture.png'

    def run(name, *options):
        config, checkpoint, image = tiny
        command = [name, config, image, '--checkpoint', checkpoint]
        command += ['--out', out, *options]
        monkeypatch.setattr(sys, 'argv', ['edit_image.py', *map(str, command)])
        run_tool(module.main)
        results = sorted(out.parent.glob('picture_*.png'))
        return cv2.imread(str(out)), [cv2.imread(str(p)) for p in results]

    return run


@pytest.fixture
def spied(monkeypatch):
    """The arguments of every call of a method of LatentDiffusion."""

    def spied(name):
        calls, method = [], getattr(LatentDiffusion, name)

        def spy(*args, **kwargs):
            calls.append(args)
            return method(*args, **kwargs)

        monkeypatch.setattr(LatentDiffusion, name, spy)
        return calls

    return spied


def test_an_adapter_reaches_the_model(edit):
    with pytest.raises(SystemExit, match='no_style'):
        edit('vary', '--adapter', 'no_style.safetensors:0.5')


def test_variations_are_drawn_by_seed_label_and_strength(edit, spied):
    calls = spied('vary')
    options = ('--label', 3, '--negative', 5, '--strength', 0.5, '--num', 2)
    picture, first = edit('vary', *options)
    _, _, samples, strength, _ = calls[0]
    assert strength == 0.5
    assert [s.label for s in samples] == [3, 3]
    assert [s.negative.label for s in samples] == [5, 5]
    assert [s.random_address for s in samples] == [(0, 0), (0, 1)]
    assert len(first) == 2 and first[0].shape == (8, 16, 3)
    assert (first[0] != first[1]).any()
    _, same = edit('vary', *options)
    _, other = edit('vary', *options, '--seed', 1)
    assert (same[0] == first[0]).all() and (other[0] != first[0]).any()
    # The image and two results, with white around, enlarged.
    zoom = -(-256 // 12)
    assert picture.shape == (12 * zoom, (3 * 18 + 2) * zoom, 3)


def shown(picture, column, height=8, width=16):
    """An image of the picture, in its own size."""
    zoom = picture.shape[0] // (height + 4)
    small = picture[zoom // 2 :: zoom, zoom // 2 :: zoom]
    left = 2 + column * (width + 2)
    return small[2 : 2 + height, left : left + width]


def test_the_picture_shows_image_mask_and_result(edit, tiny, tmp_path):
    image = cv2.imread(tiny[2])
    mask = np.zeros((8, 16), np.uint8)
    mask[:, 10:] = 255
    cv2.imwrite(str(tmp_path / 'mask.png'), mask)
    picture, (result,) = edit(
        'inpaint', '--label', 3, '--num', 1, '--mask', tmp_path / 'mask.png'
    )
    assert (shown(picture, 0) == image).all()
    masked = shown(picture, 1)
    assert (masked[:, :10] == image[:, :10]).all()
    assert np.ptp(masked[:, 10:]) == 0
    assert (shown(picture, 2) == result).all()
    assert (result[:, :10] == image[:, :10]).all()
    assert (result[:, 10:] != image[:, 10:]).any()
    _, (by_box,) = edit(
        'inpaint', '--label', 3, '--num', 1, '--box', 10, 0, 16, 8
    )
    assert (by_box == result).all()


def test_an_image_grows_on_the_side_that_is_asked_for(edit, tiny):
    options = ('--label', 3, '--num', 1, '--left', 3, '--bottom', 5)
    _, (result,) = edit('outpaint', *options)
    assert result.shape == (13, 19, 3)
    assert (result[:8, 3:] == cv2.imread(tiny[2])).all()


def test_an_inverted_image_is_drawn_again_as_another_class(edit, spied):
    inverted, drawn = spied('invert'), spied('sample')
    _, results = edit(
        'invert', '--label', 3, '--to-label', 8, '--iterations', 5
    )
    assert inverted[0][-2] == 5
    assert [samples[0].label for _, samples in drawn] == [3, 8]
    assert (results[0] != results[1]).any()
    assert len(edit('invert', '--label', 3)[1]) >= 1


@pytest.mark.parametrize('tiny', [PIXELS], indirect=True)
def test_an_upscaled_image_follows_the_image_by_its_weight(edit, tiny):
    image = cv2.imread(tiny[2]).astype(float)
    error = []
    for weight in (0, 1):
        _, (result,) = edit(
            'upscale',
            *('--label', 3, '--num', 1, '--factor', 2, '--weight', weight),
            # In two steps, a network of random weights hardly follows.
            *('--steps', 20),
        )
        assert result.shape == (16, 32, 3)
        small = result.reshape(8, 2, 16, 2, 3).mean((1, 3))
        error.append(np.abs(small - image).mean())
    assert error[1] < error[0]


def test_an_image_is_scaled_first(edit):
    _, (result,) = edit('vary', '--label', 3, '--num', 1, '--size', 12)
    assert result.shape == (12, 24, 3)


@pytest.mark.parametrize(
    'command, message',
    [
        (('vary',), 'error: the field gt_label is missing: give label'),
        (('vary', '--label', 3, '--strength', 2), 'error: strength=2.0 must'),
        (
            ('vary', '--label', 30),
            'error: label=30 is unknown, expected 0 to 9',
        ),
        (('vary', '--label', 3, '--num', 0), 'error: num=0 must be'),
        (('vary', '--label', 3, '--out', 'folder'), "extension='' is not kn"),
        (
            ('outpaint', '--label', 3),
            'error: left, right, top and bottom are 0',
        ),
        (
            ('inpaint', '--label', 3, '--box', 20, 0, 30, 8),
            r'box=.20, 0, 30, 8. must be .left',
        ),
        (
            ('inpaint', '--label', 3, '--mask', 'nowhere.png'),
            'nowhere.png',
        ),
    ],
)
def test_a_mistake_ends_in_one_line(edit, command, message):
    with pytest.raises(SystemExit, match=message):
        edit(*command)


def test_a_mask_of_another_size_is_refused(edit, tmp_path):
    cv2.imwrite(str(tmp_path / 'mask.png'), 255 * np.eye(8, dtype=np.uint8))
    with pytest.raises(SystemExit, match='has 8x8 pixels, but the image 16x8'):
        edit('inpaint', '--label', 3, '--mask', tmp_path / 'mask.png')


def test_help_is_given_for_every_edit(edit, capsys):
    for name in ('vary', 'inpaint', 'outpaint', 'invert', 'upscale'):
        with pytest.raises(SystemExit, match='0'):
            edit(name, '--help')
        assert 'file or folder of a model' in capsys.readouterr().out
