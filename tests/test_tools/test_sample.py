"""tools/sample.py, as a user runs it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from mmldm.apis import LatentDiffusionInferencer
from mmldm.apis.inference.written import as_arguments
from mmldm.datasets.image_files import read_image
from mmldm.diffusion import ClassifierFreeGuidance
from mmldm.models.conditioners import Embedder
from mmldm.registry import MODELS
from mmldm.structures import LDMDataSample
from mmldm.utils.model_file import write_model_file


def conditioned(slots=None, **embedder):
    """A denoiser that takes the slots, and what fills them."""
    return dict(
        denoiser=slots or dict(context_dim=8),
        conditioner=dict(embedders=[embedder]),
    )


CLASSES = {}  # as it is
UNCONDITIONAL = dict(
    conditioner=dict(embedders=[]), denoiser=dict(context_dim=None)
)
SMALL = conditioned(
    dict(in_channels=7, context_dim=None), type='LowResolution'
)
MAPS = conditioned(
    dict(in_channels=5, context_dim=None),
    type='SemanticMap',
    num_classes=3,
    num_stages=1,
    embed_dim=1,
)
MASKED = conditioned(
    dict(in_channels=9, context_dim=None),
    type='MaskedImage',
    latent_channels=4,
)
LAYOUTS = conditioned(
    type='TokenTransformer',
    tokenizer=dict(type='LayoutTokens', max_objects=2, vocab_size=25),
    vocab_size=25,
    max_length=8,
    embed_dim=8,
    num_layers=1,
)
BOXES = conditioned(
    dict(context_dim=8, attn_factors=(1,)),
    type='BoxEmbedder',
    num_classes=10,
    embed_dim=8,
    max_objects=2,
)
GIVEN = conditioned(type='PrecomputedFeatures', embed_dim=8)
WORDS = dict(
    type='TokenTransformer',
    tokenizer=dict(type='WordTokens', vocab=['a', 'b'], max_length=2),
    vocab_size=3,
    max_length=2,
    embed_dim=8,
    num_layers=1,
)
# A class and a caption as one sequence.
SCENES = dict(
    conditioner=dict(
        embedders=[
            dict(type='ClassEmbedder', num_classes=10, embed_dim=8),
            WORDS,
        ]
    ),
    denoiser=dict(attn_factors=(1,)),
)
TOKENS = conditioned(
    type='TokenTransformer',
    tokenizer=dict(type='PrecomputedTokens'),
    vocab_size=4,
    max_length=8,
    embed_dim=8,
    num_layers=1,
)
# What a user registers.
OWN = conditioned(dict(in_channels=5, context_dim=None), type='HalvedSketch')
LIKE = conditioned(
    type='ImageEncoder',
    config=dict(
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        image_size=4,
        patch_size=2,
        projection_dim=8,
    ),
)


@MODELS.register_module()
class HalvedSketch(Embedder):
    """A map at half of its size."""

    slot, dim, reads = 'spatial', 1, ('sketch',)

    def forward(self, data_samples, drop, encode=None):
        maps = [s.require('sketch', 'HalvedSketch') for s in data_samples]
        return F.avg_pool2d(torch.stack(maps).to(self.dtype) / 255, 2)


@pytest.fixture
def files(tmp_path):
    """An image, its mask, a small one and a map of classes."""
    rng = np.random.default_rng(0)
    arrays = dict(
        image=rng.integers(0, 256, (8, 12, 3)),
        mask=np.repeat([[0, 255, 0]], 8, axis=0).repeat(4, axis=1),
        small=rng.integers(0, 256, (4, 6, 3)),
        map=rng.integers(0, 3, (8, 12)),
        odd=rng.integers(0, 7, (8, 12)),
        black=np.zeros((8, 12)),
        ones=np.repeat([[0, 1, 0]], 8, axis=0).repeat(4, axis=1),
    )
    paths = {name: tmp_path / f'{name}.png' for name in arrays}
    for name, array in arrays.items():
        cv2.imwrite(str(paths[name]), array.astype(np.uint8))
    return paths


def drawn_by(model, size, address, **fields):
    """uint8 (H, W, 3)."""
    place = dict(img_shape=size, address=address)
    sample = LDMDataSample(metainfo=place)
    for name, value in fields.items():
        if name == 'gt_label':
            sample.set_gt_label(value)
        else:
            sample.set_field(value, name)
    (sample,) = model.predict(None, [sample])
    return sample.pred_img.permute(1, 2, 0).numpy()


def test_every_class_is_drawn_from_the_same_noises(draw):
    flags = ('--label', 3, 7, '--num', 2, '--seed', 5, '--steps', 3)
    model, images = draw(CLASSES, *flags)
    assert sorted(images) == [*(f'{i:06}.png' for i in range(4)), 'grid.png']
    model.diffusion_scheduler.num_steps = 3
    for i, (label, place) in enumerate([(3, 0), (3, 1), (7, 0), (7, 1)]):
        expected = drawn_by(model, (8, 8), (5, place), gt_label=label)
        assert np.array_equal(images[f'{i:06}.png'], expected)
    # A row a class.
    assert images['grid.png'].shape == (2 * (8 + 2) + 2,) * 2 + (3,)


def test_the_folder_of_images_has_nothing_else(draw, tmp_path, capsys):
    """So that it can be compared with folders of other images."""
    draw(CLASSES, '--label', 3, 7, '--num', 2)
    out = tmp_path / 'out'
    assert sorted(path.name for path in out.iterdir()) == [
        'grid.png',
        'images',
    ]
    names = sorted(path.name for path in (out / 'images').iterdir())
    assert names == [f'{i:06}.png' for i in range(4)]
    assert 'did not write' not in capsys.readouterr().out
    draw(CLASSES, '--label', 3, '--num', 1)
    expected = '3 files that this run did not write, such as 000001.png'
    assert expected in capsys.readouterr().out


def test_guidance_and_negatives_arrive(draw):
    flags = ('--label', 3, '--num', 1)
    pictures = [
        draw(CLASSES, *flags, *more)[1]['000000.png']
        for more in (
            ['--scale', 1],
            ['--scale', 4],
            ['--scale', 4, '--negative', 5],
        )
    ]
    for i in range(3):
        assert not np.array_equal(pictures[i], pictures[i - 1])


def test_every_class_is_drawn_with_every_caption(draw):
    """And led away from another caption, of any class."""
    flags = ('--label', 3, 7, '--prompt', 'a', 'b a', '--num', 1)
    more = ('--scale', 3, '--negative', 'b')
    model, images = draw(SCENES, *flags, *more)
    model.guidance = ClassifierFreeGuidance(3)
    kinds = [(3, 'a'), (3, 'b a'), (7, 'a'), (7, 'b a')]
    for i, (label, caption) in enumerate(kinds):
        told = dict(gt_label=label, caption=caption)
        negative = LDMDataSample(caption='b')
        expected = drawn_by(model, (8, 8), (0, 0), **told, _negative=negative)
        assert np.array_equal(images[f'{i:06}.png'], expected)
    assert not np.array_equal(images['000000.png'], images['000001.png'])


@pytest.mark.parametrize(
    'parts, flags, size',
    [
        (UNCONDITIONAL, [], (8, 8)),
        (UNCONDITIONAL, ['--size', 6], (6, 6)),
        (UNCONDITIONAL, ['--size', 6, 10], (6, 10)),
        (SMALL, ['--low-res', 'small'], (8, 12)),
        (MAPS, ['--map', 'map'], (8, 12)),
        (MASKED, ['--image', 'image', '--mask', 'mask'], (8, 12)),
        (LAYOUTS, ['--object', 2, 0.1, 0.2, 0.5, 0.5], (8, 8)),
        (BOXES, ['--object', 2, 0.1, 0.2, 0.5, 0.5, '--scale', 2], (8, 8)),
    ],
)
def test_an_image_is_as_large_as_what_it_is_made_of(
    draw, files, parts, flags, size
):
    _, images = draw(parts, '--num', 1, *(files.get(f, f) for f in flags))
    assert images['000000.png'].shape == (*size, 3)


def test_large_images_are_drawn_by_windows(draw):
    flags = ('--num', 1, '--size', 8, 24)
    whole = draw(UNCONDITIONAL, *flags)[1]['000000.png']
    parts = draw(UNCONDITIONAL, *flags, '--window', 8)[1]['000000.png']
    assert parts.shape == whole.shape == (8, 24, 3)
    assert not np.array_equal(parts, whole)
    with pytest.raises(ValueError, match='--window=7 is not divisible by'):
        draw(UNCONDITIONAL, *flags, '--window', 7)


def test_what_is_known_stays_bit_by_bit(draw, files):
    _, images = draw(
        MASKED, '--image', files['image'], '--mask', files['mask'], '--num', 2
    )
    given, hole = read_image(str(files['image'])), slice(4, 8)
    for name in ('000000.png', '000001.png'):
        assert (np.delete(images[name] == given, hole, axis=1)).all()
        assert not np.array_equal(images[name][:, hole], given[:, hole])


@pytest.mark.parametrize('parts', [LAYOUTS, BOXES])
def test_objects_make_a_layout(draw, parts):
    flags = ('--object', 2, 0.1, 0.2, 0.5, 0.5, '--object', 3, 0, 0, 1, 1)
    model, images = draw(parts, '--num', 1, *flags)
    layout = [(2, [0.1, 0.2, 0.5, 0.5]), (3, [0.0, 0.0, 1.0, 1.0])]
    expected = drawn_by(model, (8, 8), (0, 0), layout=layout)
    assert np.array_equal(images['000000.png'], expected)


def test_images_to_resemble_arrive(draw, files):
    names = 'image', 'small'
    flags = ('--num', 1, '--like', *(files[name] for name in names))
    model, images = draw(LIKE, *flags)
    refs = [torch.from_numpy(read_image(str(files[name]))) for name in names]
    refs = [ref.permute(2, 0, 1) for ref in refs]
    for imgs, same in ((refs, True), (refs[:1], False)):
        drawn = drawn_by(model, (8, 8), (0, 0), ref_imgs=imgs)
        assert np.array_equal(images['000000.png'], drawn) == same


@pytest.mark.parametrize(
    'parts, flags, message',
    [
        (CLASSES, [], 'is missing: give --label'),
        (CLASSES, ['--prompt', 'x'], '--prompt is unknown .* reads --label'),
        (
            UNCONDITIONAL,
            ['--label', 1],
            '--label is unknown to this model, which reads nothing',
        ),
        (CLASSES, ['--label', 1, '--prompt', 'x'], '--prompt is unknown'),
        (SCENES, ['--label', 1], 'give --prompt'),
        (CLASSES, ['--label', 99], '--label=99 is unknown, expected 0 to 9$'),
        (CLASSES, ['--label', -1], "--label='-1' is unknown"),
        (
            CLASSES,
            ['--label', 1, '--scale', 2, '--negative', 'cat'],
            "--negative='cat' is",
        ),
        (
            CLASSES,
            ['--label', 1, '--scale', 2, '--negative', 99],
            '--negative=99 is unknown, expected 0 to 9$',
        ),
        (
            BOXES,
            ['--object', 1, 0, 0, 1, 1, '--negative', 'x'],
            "--negative='x' is not available",
        ),
        (SCENES, ['--label', 1, '--prompt', ' '], "--prompt '' is empty"),
        (
            SCENES,
            ['--label', 1, '--prompt', 'a', '--negative', ''],
            "--negative '' is empty",
        ),
        (MASKED, ['--image', 'image'], 'give --mask'),
        (
            MASKED,
            ['--image', 'image', '--mask', 'small'],
            '--mask has 6x4',
        ),
        (MASKED, ['--image', 'image', '--mask', 'black'], '--mask: .* black'),
        (MASKED, ['--image', 'image', '--mask', 'ones'], '--mask: .* black'),
        (MAPS, ['--map', 'odd'], r'--map=\d is unknown, expected 0 to 2$'),
        (MAPS, ['--map', 'image'], '--map: label image .* has 3 channels'),
        (MAPS, ['--map', 'none.png'], '--map none.png does not exist'),
        (MASKED, ['--image', 'none.png'], '--image none.png does not'),
        (GIVEN, [], 'is missing: give --database'),
        (TOKENS, [], 'is missing: give --field tokens=FILE'),
        (CLASSES, ['--field', 'a'], '--field a must be NAME=FILE'),
        (
            CLASSES,
            ['--label', 1, '--field', 'sketch=image'],
            '--field sketch=FILE image does not exist',
        ),
        (
            CLASSES,
            ['--field', 'mask=a.png'],
            'mask=FILE: give --mask ',
        ),
        (CLASSES, ['--like', 'image'], '--like is unknown to this model'),
        (LIKE, ['--like', 'none.png'], '--like none.png does not'),
        (LAYOUTS, ['--object', 1.5, 0, 0, 1, 1], '--object 1.5 .* a whole'),
        (LAYOUTS, ['--object', 'inf', 0, 0, 1, 1], '--object inf .* a whole'),
        (LAYOUTS, ['--object', 'nan', 0, 0, 1, 1], '--object nan .* a whole'),
        (
            LAYOUTS,
            ['--object', 99, 0, 0, 1, 1],
            '--object: class=99 .* 0 to 23$',
        ),
        (BOXES, [], 'give --object'),
        (
            BOXES,
            ['--object', 1, 0.5, 0, 1, 1],
            '--object 1 0.5 0 1 1: X Y W H must be parts of the image',
        ),
        (BOXES, ['--object', 1, 'nan', 0, 1, 1], '--object 1 nan 0 1 1: X Y'),
        (UNCONDITIONAL, ['--num', 0], '--num=0'),
        (UNCONDITIONAL, ['--size', 1, 2, 3], '--size 1 2 3 must be'),
        (UNCONDITIONAL, ['--window', -8], '--window=-8 must be a whole'),
        (UNCONDITIONAL, ['--steps', 0], '--steps=0 must be a whole'),
        (UNCONDITIONAL, ['--steps', 5000], '--steps=5000 must be in .1, 1000'),
        (UNCONDITIONAL, ['--scale', 'nan'], '--scale=nan must be >= 0; 1 is'),
        (UNCONDITIONAL, ['--out', 'image'], '--out=.* is not a folder'),
        (UNCONDITIONAL, ['--seed', -1], '--seed=-1 must be in'),
        (UNCONDITIONAL, ['--interpolate', 0, -1], '--interpolate=-1 must be'),
        (UNCONDITIONAL, ['--frames', 3], '--frames needs --interpolate'),
        (
            UNCONDITIONAL,
            ['--interpolate', 0, 1, '--frames', 1],
            '--frames=1 must be 2 or more',
        ),
        (
            UNCONDITIONAL,
            ['--interpolate', 0, 1, '--image', 'image', '--strength', 0.5],
            'starts from noise, and --strength from an image',
        ),
        (UNCONDITIONAL, ['--strength', 0.5], '--strength needs --image'),
        (
            UNCONDITIONAL,
            ['--image', 'image', '--strength', 2],
            r'--strength=2.0 must be in \(0, 1\]',
        ),
        (
            MASKED,
            ['--image', 'image', '--mask', 'mask', '--strength', 0.5],
            '--strength is not available .* reads --image itself',
        ),
        (UNCONDITIONAL, ['--from', 'none.txt'], '--from none.txt does not'),
        (UNCONDITIONAL, ['--like-settings', 'image'], 'holds no settings'),
        (
            UNCONDITIONAL,
            ['--like-settings', 'image', '--from', 'map'],
            '--from and --like-settings: give one',
        ),
        (
            UNCONDITIONAL,
            ['--from', 'image', '--interpolate', 0, 1],
            '--interpolate is not available with --from',
        ),
        (CLASSES, ['--interpolate', 0, 1, '--seed', 2], '--seed has no effe'),
        (CLASSES, ['--interpolate', 0, 1, '--num', 2], '--num has no effect'),
        (
            CLASSES,
            ['--unconditional', '--scale', 3],
            '--scale has no effect with --unconditional: omit',
        ),
        (UNCONDITIONAL, ['--name-by', 'label'], '--name-by=label needs'),
    ],
)
def test_what_makes_no_sense_is_refused(draw, files, parts, flags, message):
    with pytest.raises((ValueError, OSError), match=message):
        draw(parts, *(files.get(f, f) for f in flags))


@pytest.mark.parametrize(
    'flags, message',
    [
        (['--steps', 0], '--steps=0'),
        (['--window', 0], '--window=0'),
        (['--size', 0], '--size 0'),
        (['--object', 1, 0.5, 0, 1, 1], '--object 1'),
        (['--map', 'none.png'], '--map none.png'),
    ],
)
def test_flags_are_checked_before_a_model_is_read(call_tool, flags, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        call_tool('sample', 'no_such_model', *flags)


@pytest.mark.parametrize('suffix', ['npy', 'png'])
def test_a_field_of_ones_own_arrives(draw, tmp_path, suffix):
    path = tmp_path / f'drawn.{suffix}'
    values = np.arange(8 * 12, dtype=np.uint8).reshape(8, 12)
    if suffix == 'npy':
        np.save(path, values)
    else:
        cv2.imwrite(str(path), values)
    flags = ('--num', 1, '--field', f'sketch={path}')
    model, images = draw(OWN, *flags)
    own = torch.from_numpy(values)[None]
    expected = drawn_by(model, (8, 12), (0, 0), sketch=own)
    assert np.array_equal(images['000000.png'], expected)
    other = drawn_by(model, (8, 12), (0, 0), sketch=0 * own)
    assert not np.array_equal(images['000000.png'], other)


def test_an_image_of_colours_is_a_field_of_three_channels(files):
    written = dict(fields=dict(photo=str(files['image'])))
    photo = as_arguments(written)['fields']['photo'].permute(1, 2, 0)
    assert np.array_equal(photo.numpy(), read_image(str(files['image'])))


def test_tokens_are_rows_of_numbers(draw, tmp_path):
    path = tmp_path / 'tokens.npy'
    np.save(path, np.array([1, 3, 2]))
    model, images = draw(TOKENS, '--num', 1, '--field', f'tokens={path}')
    told = torch.tensor([1, 3, 2])
    expected = drawn_by(model, (8, 8), (0, 0), tokens=told)
    assert np.array_equal(images['000000.png'], expected)
    np.save(path, np.array([dict()]), allow_pickle=True)
    with pytest.raises(ValueError, match='--field tokens=FILE: .* numpy.save'):
        draw(TOKENS, '--field', f'tokens={path}')
    np.save(path, np.array(['a']))
    with pytest.raises(ValueError, match='--field tokens=FILE: .* of numbers'):
        draw(TOKENS, '--field', f'tokens={path}')


def test_a_size_must_come_from_somewhere(draw):
    with pytest.raises(ValueError, match='give --size'):
        draw(UNCONDITIONAL, image_size=None)


def test_a_model_of_oblong_images_draws_these(draw):
    _, images = draw(UNCONDITIONAL, '--num', 2, image_size=[4, 12])
    assert {image.shape[:2] for image in images.values()} > {(4, 12)}
    _, images = draw(UNCONDITIONAL, '--size', 8, image_size=[4, 12])
    assert images['000000.png'].shape[:2] == (8, 8)


def test_a_first_stage_draws_nothing(
    call_tool, tiny_autoencoder, tmp_path, awaken
):
    config = dict(type='FirstStage', autoencoder=tiny_autoencoder)
    path = tmp_path / 'model.safetensors'
    write_model_file(path, MODELS.build(config).state_dict(), config)
    with pytest.raises(
        ValueError, match='FirstStage, expected a LatentDiffusion'
    ):
        call_tool('sample', path)


def test_requests_are_made_as_they_are_drawn(draw, monkeypatch):
    """A billion images start at once, in the memory of one batch."""
    made, drawn = [], []
    real = LDMDataSample.set_gt_label

    def count(sample, label):
        made.append(label)
        return real(sample, label)

    def stop(model, inputs, samples, *args):
        drawn.append(len(samples))
        raise InterruptedError

    monkeypatch.setattr(LDMDataSample, 'set_gt_label', count)
    monkeypatch.setattr('mmldm.models.editors.LatentDiffusion.predict', stop)
    with pytest.raises(InterruptedError):
        draw(CLASSES, '--label', 3, '--num', 10**9)
    # Those of the batch, and two that the arguments are checked with.
    assert drawn == [3] and len(made) == 3 + 2


def test_a_grid_that_would_grow_too_large_says_so(draw, monkeypatch, capsys):
    monkeypatch.setattr('mmldm.visualization.grid.LONGEST', 25)
    _, images = draw(CLASSES, '--label', 3, 4, 5, '--num', 3)
    assert len(images) == 9 + 1
    assert '9 images in' in (told := capsys.readouterr().out)
    assert '4 of them in' in told
    assert images['grid.png'].shape == (22, 22, 3)


def test_a_solver_and_a_grid_by_name_arrive(draw):
    """The images are those of a model whose config has them."""
    flags = ('--label', 3, '--num', 1)
    _, plain = draw({}, *flags)
    _, other = draw({}, *flags, '--solver', 'Heun', '--grid', 'KarrasGrid')
    scheduler = dict(
        solver=dict(_delete_=True, type='Heun'),
        time_grid=dict(_delete_=True, type='KarrasGrid'),
    )
    _, wanted = draw(dict(diffusion_scheduler=scheduler), *flags)
    name = '000000.png'
    assert np.array_equal(other[name], wanted[name])
    assert not np.array_equal(other[name], plain[name])


def test_an_unknown_solver_is_named(draw):
    with pytest.raises(ValueError, match="solver='DDIN' is not known.*'DDIM'"):
        draw({}, '--label', 3, '--solver', 'DDIN')


def test_a_model_of_classes_needs_none(draw):
    conditioner = dict(drop_prob=0.1)
    _, images = draw(dict(conditioner=conditioner), '--unconditional')
    assert len([name for name in images if name != 'grid.png']) == 4
    with pytest.raises(ValueError, match='--label has no effect with --unc'):
        draw(dict(conditioner=conditioner), '--unconditional', '--label', 3)


@pytest.mark.parametrize('batch_size', [1, 3, 16])
def test_the_command_draws_what_python_draws(draw, batch_size):
    """Bit for bit, in batches of the same size."""
    flags = ('--label', 3, 7, '--num', 8, '--seed', 2, '--steps', 3)
    model, images = draw(CLASSES, *flags, '--batch-size', batch_size)
    expected = LatentDiffusionInferencer(model)(
        label=[3, 7], num=8, seed=2, steps=3, batch_size=batch_size
    )
    for i, image in enumerate(expected):
        assert np.array_equal(images[f'{i:06}.png'], np.asarray(image))


def test_settings_in_a_file_are_arguments_in_python(draw, tmp_path):
    flags = ('--label', 3, '--seed', 2, '--solver', 'Heun', '--scale', 2)
    model, images = draw(CLASSES, *flags, '--num', 2, '--batch-size', 1)
    path = tmp_path / 'out' / 'images' / '000001.png'
    with Image.open(path) as image:
        settings = json.loads(image.info['mmldm'])
    (again,) = LatentDiffusionInferencer(model)(
        **settings['arguments'],
        **settings['sampling'],
        number=settings['number'],
    )
    assert np.array_equal(images['000001.png'], np.asarray(again))


def test_rows_of_a_file_take_flags_as_defaults(draw, tmp_path):
    path = tmp_path / 'rows.csv'
    path.write_text('label,seed,prompt\n3,5,a\n,,b a\n')
    flags = ('--from', path, '--label', 7, '--seed', 1, '--name-by', 'label')
    model, images = draw(SCENES, *flags)
    rows = [(3, 5, 'a', '3_000000'), (7, 1, 'b a', '7_000000')]
    samples = []
    for label, seed, caption, _ in rows:
        place = dict(img_shape=(8, 8), address=(seed, 0))
        sample = LDMDataSample(metainfo=place, caption=caption)
        samples.append(sample.set_gt_label(label))
    for sample, row in zip(model.predict(None, samples), rows, strict=True):
        expected = sample.pred_img.permute(1, 2, 0).numpy()
        assert np.array_equal(images[f'{row[3]}.png'], expected)
    path.write_text('label,prompt\n3,a\n99,a\n')
    with pytest.raises(ValueError, match='rows.csv line 3: label=99 is unkn'):
        draw(SCENES, '--from', path)


def test_a_strength_is_that_of_the_image_of_a_row(draw, files, tmp_path):
    path = tmp_path / 'rows.csv'
    path.write_text('image\nimage.png\n')
    model, images = draw(UNCONDITIONAL, '--from', path, '--strength', 0.5)
    (expected,) = LatentDiffusionInferencer(model).vary(
        files['image'], strength=0.5
    )
    assert np.array_equal(images['000000.png'], np.asarray(expected))
    other = tmp_path / 'out/images/000000.png'
    other.rename(tmp_path / 'copy.png')
    again = ('--like-settings', tmp_path / 'copy.png', '--strength', 1)
    _, images = draw(UNCONDITIONAL, *again)
    assert not np.array_equal(images['000000.png'], np.asarray(expected))


def test_an_image_is_drawn_again_from_its_settings(draw, tmp_path, capsys):
    flags = ('--label', 3, '--num', 4, '--scale', 2.5, '--solver', 'Heun')
    _, images = draw(CLASSES, *flags, '--negative', 5, '--seed', 8)
    copy = tmp_path / 'copy.png'
    (tmp_path / 'out' / 'images' / '000002.png').rename(copy)
    shutil.rmtree(tmp_path / 'out')
    _, again = draw(CLASSES, '--like-settings', copy)
    assert again.keys() == {'000000.png', 'grid.png'}
    assert np.array_equal(again['000000.png'], images['000002.png'])
    assert 'differ' not in capsys.readouterr().out
    _, other = draw(CLASSES, '--like-settings', copy, '--label', 4)
    assert not np.array_equal(other['000000.png'], images['000002.png'])
    assert 'these differ: arguments.label' in capsys.readouterr().out
    own = tmp_path / 'out' / 'images' / '000000.png'
    with pytest.raises(ValueError, match='first image would be replaced'):
        draw(CLASSES, '--like-settings', own)
    with pytest.raises(ValueError, match='--like-settings generates one im'):
        draw(CLASSES, '--like-settings', copy, '--label', 4, 5)


def test_a_way_between_two_seeds_is_an_animation(draw, tmp_path):
    flags = ('--label', 3, 7, '--interpolate', 0, 5, '--frames', 5)
    _, images = draw(CLASSES, *flags)
    assert len(images) == 2 * 5 + 1
    assert images['grid.png'].shape == (2 * 10 + 2, 5 * 10 + 2, 3)
    with Image.open(tmp_path / 'out' / 'frames.webp') as animation:
        assert animation.n_frames == 5
        assert animation.size == (2 * 10 + 2, 10 + 2)


def test_an_animation_has_frames_that_the_grid_has_no_place_for(
    draw, tmp_path, monkeypatch
):
    monkeypatch.setattr('mmldm.visualization.grid.LONGEST', 3 * 10 + 2)
    _, images = draw(CLASSES, '--label', 3, '--interpolate', 0, 5)
    assert images['grid.png'].shape == (10 + 2, 3 * 10 + 2, 3)
    with Image.open(tmp_path / 'out' / 'frames.webp') as animation:
        assert animation.n_frames == 16
        animation.seek(15)
        last = np.asarray(animation.convert('RGB'))[2:10, 2:10]
    assert np.array_equal(last, images['000015.png'])


def test_steps_are_shown(draw, tmp_path):
    _, images = draw(CLASSES, '--label', 3, '--num', 2, '--show-steps')
    names = sorted(path.name for path in (tmp_path / 'out/steps').iterdir())
    assert names == [f'00000{i}.{kind}' for i in (0, 1) for kind in KINDS]
    # Also of images that are written already.
    shutil.rmtree(tmp_path / 'out/steps')
    _, again = draw(CLASSES, '--label', 3, '--num', 2, '--show-steps')
    assert len([*(tmp_path / 'out/steps').iterdir()]) == 4
    assert np.array_equal(again['grid.png'], images['grid.png'])


def test_a_name_of_digits_is_a_name_as_in_python(draw):
    names = [str(number) for number in range(1, 11)]
    parts = dict(CLASSES, conditioner=dict(class_names=names))
    model, images = draw(parts, '--label', 2, '--num', 1)
    (expected,) = LatentDiffusionInferencer(model)(label=1)
    assert np.array_equal(images['000000.png'], np.asarray(expected))


KINDS = ('png', 'webp')


@pytest.mark.slow
def test_two_processes_draw_the_same(draw, tmp_path):
    flags = ['--label', '3', '7', '--num', '4', '--batch-size', '3']
    _, images = draw(CLASSES, *flags)
    tools = Path(__file__).parents[2] / 'tools'
    command = [sys.executable, tools / 'launch.py', '2', tools / 'sample.py']
    out = ['--out', tmp_path / 'two', '--launcher', 'pytorch']
    done = subprocess.run(
        [*command, tmp_path / 'model.safetensors', *flags, *out],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('8 images in') == 1
    for path in (tmp_path / 'two').rglob('*.png'):
        found = read_image(str(path))
        assert np.array_equal(found, images.pop(path.name))
    assert not images
