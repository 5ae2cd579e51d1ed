"""What the configs of data sets make of folders as they are downloaded."""

import json
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from mmldm.apis import load_config, tool_parser
from mmldm.registry import DATASETS, MODELS

ROOT = Path(__file__).parents[2] / 'configs/_base_/datasets'
PHASES = ('train', 'val', 'test')
NOISE = np.random.default_rng(0).integers(0, 256, (96, 120, 3), np.uint8)


def write(path, values=NOISE):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def load(name, root, size=64, **training):
    """The data sets of all phases, on a folder of one's own."""
    cfg = load_config(tool_parser(None).parse_args([str(ROOT / name)]))
    for phase in PHASES:
        dataset = cfg[f'{phase}_dataloader'].dataset
        dataset.serialize_data = False  # takes half a second
        dataset.size = size
        for annotations in dataset.get('annotations', ()):
            if 'min_side' in annotations:
                assert annotations.min_side == 256
                annotations.min_side = 96
        if 'data_root' in dataset:
            dataset.data_root = str(root)
    cfg.train_dataloader.dataset.update(training)
    return {
        phase: DATASETS.build(cfg[f'{phase}_dataloader'].dataset)
        for phase in PHASES
    }


def pixels(dataset, index=0):
    """RGB (H, W, 3) of a sample."""
    return dataset[index]['inputs'].permute(1, 2, 0).numpy()


@pytest.mark.parametrize('name', ['celebahq_256x256.py', 'ffhq_256x256.py'])
def test_faces_are_resized_without_care_and_not_flipped(tmp_path, name):
    square = NOISE[:96, :96]
    write(tmp_path / 'a.png', square)
    dataset = load(name, tmp_path, size=24, split='all')['train']
    expected = cv2.resize(square, (24, 24), interpolation=cv2.INTER_LINEAR)
    for _ in range(4):
        assert np.array_equal(pixels(dataset), expected)


def test_imagenet_is_cut_at_random_and_not_flipped(tmp_path):
    for i in range(1000):
        write(tmp_path / f'train/n{i:04}/a.png', NOISE[:8, :10])
    sets = load('imagenet_256x256.py', tmp_path, size=4)
    resized = cv2.resize(NOISE[:8, :10], (5, 4)).astype(int)
    places = set()
    for i in range(12):
        found = pixels(sets['train'], i)
        cuts = [resized[:, :4], resized[:, 1:]]
        places |= {k for k in (0, 1) if np.array_equal(found, cuts[k])}
        assert sets['train'][i]['data_samples'].label == i
    assert places == {0, 1}
    assert sets['test'][7]['data_samples'].label == 7
    # As DiT sees it: the middle, of five columns the first four, mirrored or
    # not.
    flips = load('imagenet-flips_256x256.py', tmp_path, size=4)['train']
    middle = resized[:, :4]
    seen = {
        mirrored
        for i in range(12)
        for mirrored in (False, True)
        if np.array_equal(
            pixels(flips, i), middle[:, ::-1] if mirrored else middle
        )
    }
    assert seen == {False, True}


@pytest.mark.parametrize(
    'name', ['lsun-churches_256x256.py', 'lsun-bedrooms_256x256.py']
)
def test_lsun_is_cut_in_the_middle_resized_with_care_and_flipped(
    tmp_path, name, database
):
    write(tmp_path / 'a.png')
    content = (tmp_path / 'a.png').read_bytes()
    database({bytes([i]): content for i in range(40)})
    dataset = load(name, tmp_path, size=24)['train']
    square = Image.fromarray(NOISE[:, 12:108])
    expected = np.asarray(square.resize((24, 24), Image.BICUBIC))
    flipped = [
        np.array_equal(pixels(dataset, i), expected[:, ::-1])
        for i in range(40)
    ]
    assert 8 < sum(flipped) < 32
    plain = pixels(dataset, flipped.index(False))
    assert np.array_equal(plain, expected)


def coco(root, kind, folder):
    write(root / folder / 'a.png')
    write(root / 'stuffthingmaps' / folder / 'a.png', NOISE[..., 0] % 182)
    notes = [
        dict(image_id=1, category_id=3, bbox=[12, 24, 36, 48], caption='one'),
        dict(image_id=1, category_id=7, bbox=[40, 24, 36, 48], caption='two'),
    ]
    content = dict(
        images=[dict(id=1, file_name='a.png', width=120, height=96)],
        categories=[dict(id=i, name=str(i)) for i in (3, 7)],
        annotations=notes,
    )
    (root / 'annotations').mkdir(exist_ok=True)
    path = root / 'annotations' / f'{kind}_{folder}.json'
    path.write_text(json.dumps(content))


def write_coco(root):
    for folder in ('train2017', 'val2017'):
        for kind in ('instances', 'captions'):
            coco(root, kind, folder)


def write_open_images(root):
    (root / 'class-descriptions-boxable.csv').write_text('/m/1,Cat\n')
    for folder, name in (
        ('train', 'oidv6-train-annotations-bbox.csv'),
        ('validation', 'validation-annotations-bbox.csv'),
    ):
        write(root / folder / 'a.jpg')
        (root / name).write_text(
            'ImageID,LabelName,XMin,XMax,YMin,YMax,IsGroupOf\n'
            + 'a,/m/1,0.25,0.75,0.5,1,0\n' * 2
        )


def write_ade20k(root):
    for folder in ('training', 'validation'):
        write(root / 'images' / folder / 'a.jpg')
        path = root / 'annotations' / folder / 'a.png'
        write(path, NOISE[..., 0] % 151)


def write_beside(root):
    for name in 'ab':
        write(root / f'images/{name}.jpg')
        write(root / f'maps/{name}.png', NOISE[..., 0] % 182)
        (root / 'neighbours').mkdir(exist_ok=True)
        np.save(root / f'neighbours/{name}.npy', np.ones((4, 768)))


def write_shards(root):
    with tarfile.open(root / '0.tar', 'w') as shard:
        for name in 'ab':
            write(root / f'{name}.png')
            (root / f'{name}.txt').write_text('one')
            for suffix in ('.png', '.txt'):
                shard.add(root / (name + suffix), name + suffix)


def write_folders(root):
    for folder in ('train', 'val', 'validation'):
        write(root / folder / 'a.jpg')


@pytest.mark.parametrize(
    'name, prepare, field',
    [
        ('coco-caption_256x256.py', write_coco, 'caption'),
        ('coco-layout_256x256.py', write_coco, 'layout'),
        ('coco-semantic_256x256.py', write_coco, 'gt_sem_seg'),
        ('openimages-layout_256x256.py', write_open_images, 'layout'),
        ('ade20k-semantic_256x256.py', write_ade20k, 'gt_sem_seg'),
        ('places-inpaint_256x256.py', write_folders, 'mask'),
        ('imagenet-sr-x4_256x256.py', write_folders, 'img_lq'),
        ('openimages-bsr-x4_256x256.py', write_folders, 'img_lq'),
        ('landscapes-semantic_256x256.py', write_beside, 'gt_sem_seg'),
        ('neighbours_768x768.py', write_beside, 'features'),
        ('captioned-shards.py', write_shards, 'caption'),
        ('conceptual-captions_256x256.py', write_shards, 'caption'),
    ],
)
def test_pairs_are_found_in_every_phase(tmp_path, name, prepare, field):
    prepare(tmp_path)
    for phase, dataset in load(name, tmp_path, size=64).items():
        packed = dataset[0]
        assert packed['inputs'].shape == (3, 64, 64)
        value = packed['data_samples'].get(field)
        assert value is not None, phase
        if field in ('gt_sem_seg', 'mask'):
            assert value.shape == (1, 64, 64)
        elif field == 'img_lq':
            assert value.shape == (3, 16, 16)
        elif field == 'caption':
            assert value in ('one', 'two')
        elif field == 'features':
            assert value.shape == (4, 768)
        else:
            assert value[0][0] in (0, 1)
        if field == 'mask':
            image = packed['data_samples'].gt_img
            assert np.array_equal(image, packed['inputs'])


@pytest.mark.parametrize(
    'name, prepare, embedder',
    [
        (
            'coco-layout_256x256.py',
            write_coco,
            dict(
                type='TokenTransformer',
                tokenizer=dict(type='LayoutTokens', num_classes=80),
                vocab_size=8192,
                max_length=92,
                embed_dim=8,
                num_layers=1,
            ),
        ),
        (
            'ade20k-semantic_256x256.py',
            write_ade20k,
            dict(
                type='SemanticMap', num_classes=151, num_stages=2, embed_dim=3
            ),
        ),
        (
            'places-inpaint_256x256.py',
            write_folders,
            dict(type='MaskedImage', latent_channels=3),
        ),
        (
            'imagenet-sr-x4_256x256.py',
            write_folders,
            dict(type='LowResolution'),
        ),
    ],
)
def test_conditions_are_what_embedders_read(tmp_path, name, prepare, embedder):
    prepare(tmp_path)
    dataset = load(name, tmp_path, size=64)['train']
    embedder = MODELS.build(embedder)
    samples = [dataset[0]['data_samples']]
    told = embedder(
        samples, torch.tensor([False]), lambda x: x[:, :, ::4, ::4]
    )
    null = embedder(samples, torch.tensor([True]), lambda x: x[:, :, ::4, ::4])
    assert not torch.equal(told, null)
    if embedder.slot == 'spatial':
        assert told.shape[2:] == (16, 16)


@pytest.mark.parametrize(
    'name', ['imagenet-sr-x4_256x256.py', 'openimages-bsr-x4_256x256.py']
)
def test_small_parts_grow_as_the_published_models_saw_them(tmp_path, name):
    """By OpenCV's INTER_AREA, here from 96 to 160 pixels."""
    write_folders(tmp_path)
    part = np.asarray(Image.open(tmp_path / 'train/a.jpg'))[:, 12:108]
    expected = cv2.resize(part, (160, 160), interpolation=cv2.INTER_AREA)
    for phase, dataset in load(name, tmp_path, size=160).items():
        cut = dataset.pipeline.transforms[1]
        cut.parts, cut.random = (1, 1), False
        assert np.array_equal(pixels(dataset), expected), phase


def test_clothes_are_enlarged_and_their_files_found(tmp_path):
    """Two files for training, two for validation and test."""
    for part, level in (('train', 10), ('t10k', 20)):
        for kind, sides in (('images-idx3', (2, 28, 28)), ('labels-idx1', 2)):
            values = np.full(sides, level if kind[0] == 'i' else 9, np.uint8)
            header = np.array([0x800 + values.ndim, *values.shape], '>u4')
            path = tmp_path / f'{part}-{kind}-ubyte'
            path.write_bytes(header.tobytes() + values.tobytes())
    sets = load('fashion-mnist_32x32.py', tmp_path, size=32)
    requests = load('fashion-mnist-requests_32x32.py', tmp_path, size=32)
    assert requests['val'][99]['data_samples'].label == 9
    sets['requests of a test'] = requests['test']
    for phase, dataset in sets.items():
        image = np.full((32, 32, 3), 10 if phase == 'train' else 20)
        assert np.array_equal(pixels(dataset), image)
        assert dataset[0]['data_samples'].label == 9
        assert dataset.metainfo['classes'][9] == 'ankle boot'


def test_emoji_are_mirrored_for_a_first_stage_alone(tmp_path):
    """Each picture in one split, as it is, or mirrored while training."""
    for i in range(60):
        write(tmp_path / f'Flags/{i}.png', np.roll(NOISE[:64, :64], i, 0))
    sets = load('emoji_64x64.py', tmp_path)
    counts = {phase: len(dataset) for phase, dataset in sets.items()}
    assert counts['train'] + counts['val'] == 60
    assert counts['val'] == counts['test'] > 0
    for phase, dataset in sets.items():
        mirrored = set()
        for i in range(counts[phase]):
            path = dataset.get_data_info(i)['img_path']
            image = np.asarray(Image.open(path))
            found = pixels(dataset, i)
            flip = not np.array_equal(found, image)
            assert not flip or np.array_equal(found, image[:, ::-1])
            mirrored.add(flip)
        assert mirrored == ({False, True} if phase == 'train' else {False})


def test_an_emoji_has_its_first_name_and_its_category(tmp_path):
    """In every phase, and never mirrored: a cache has one version."""
    for i in range(10):
        for k in range(4):
            path = tmp_path / f'category {i}/{k}.png'
            write(path, np.roll(NOISE[:64, :64], 10 * i + k, 0))
            path.with_suffix('.txt').write_text(f'name {i} {k}\nother\n')
    sets = load('emoji-names_64x64.py', tmp_path)
    assert len(sets['train']) == len(sets['test']) == 40
    assert 0 < len(sets['val']) < 40
    for dataset in sets.values():
        for number in range(len(dataset)):
            path = Path(dataset.get_data_info(number)['img_path'])
            sample = dataset[number]['data_samples']
            i, k = path.parent.name[-1], path.stem
            assert (sample.caption, sample.label) == (f'name {i} {k}', int(i))
            image = np.asarray(Image.open(path))
            assert np.array_equal(pixels(dataset, number), image)


def test_no_config_is_left_out():
    """Those that are tested with their models aside."""
    own = Path(__file__).read_text()
    elsewhere = ('digits', 'image-folder', 'image-pairs', 'photographs')
    missing = [
        path.name
        for path in ROOT.glob('*.py')
        if path.name not in own
        and not path.name.startswith((*elsewhere, 'shape-scenes'))
    ]
    assert not missing
