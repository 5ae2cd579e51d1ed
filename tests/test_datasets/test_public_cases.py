"""Faults of images and classes that people met in other tools."""

import logging
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from mmldm.datasets import ImageFolder
from mmldm.datasets.image_files import read_image, read_mask
from mmldm.datasets.transforms import LoadImage
from mmldm.engine.checkpoint_state import plain

from .making import SMALL, load, names, one_line, save


@pytest.fixture
def classes(tmp_path):
    for name in 'abc':
        save(tmp_path / name / 'x.png')
    return tmp_path


@pytest.mark.parametrize(
    'junk',
    ['.ipynb_checkpoints', '__MACOSX', '.git', '@eaDir', '__pycache__'],
)
def test_folders_of_programs_are_no_classes(classes, junk):
    save(classes / junk / 'x-checkpoint.png')
    dataset = load(classes, dict(type='FolderClasses'), strict=True)
    assert dataset.metainfo['classes'] == ('a', 'b', 'c')
    assert [sample['gt_label'] for sample in dataset] == [0, 1, 2]


def test_hidden_pictures_are_counted(classes, told):
    save(classes / 'a/.x.png')
    save(classes / '.kept/y.png')
    assert len(load(classes)) == 3
    assert one_line(told, '1 hidden files', '.x.png') == logging.INFO
    assert one_line(told, '1 hidden folders', '.kept') == logging.INFO


def test_forks_of_macos_are_no_images(classes, told):
    for path in ('__MACOSX/._a.png', 'a/._x.png', 'a/.DS_Store'):
        path = classes / path
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b'\0\5\x16\7' + bytes(100))
    (classes / 'a/Thumbs.db').write_bytes(b'\xd0\xcf\x11\xe0' + bytes(100))
    assert len(load(classes, strict=True)) == 3
    assert told == []


def test_folders_of_numbers_are_ordered_by_these(tmp_path, told):
    for number in range(12):
        save(tmp_path / f'{number}/x.png')
    dataset = load(tmp_path, dict(type='FolderClasses', num_classes=12))
    assert dataset.metainfo['classes'] == tuple(map(str, range(12)))
    labels = {s['img_path'].split('/')[-2]: s['gt_label'] for s in dataset}
    assert labels == {str(i): i for i in range(12)}
    assert one_line(told, 'by number', '0, 1, 2, 3') == logging.INFO


@pytest.mark.parametrize(
    'folders, said',
    [
        (['a10', 'a2', 'b'], 'by letters, not by the numbers'),
        (['a', 'b', 'n01'], None),
        (['00', '01', '02'], None),
    ],
)
def test_an_order_is_said_where_it_may_surprise(tmp_path, told, folders, said):
    for folder in folders:
        save(tmp_path / folder / 'x.png')
    dataset = load(tmp_path, dict(type='FolderClasses'))
    assert dataset.metainfo['classes'] == tuple(folders)
    assert [text for _, text in told if 'orders' in text] == (
        [] if said is None else [text for _, text in told if said in text]
    )
    assert bool(told) == (said is not None)


def test_names_of_classes_are_plain_data_of_a_checkpoint(classes):
    dataset = load(classes, dict(type='FolderClasses'))
    meta = plain(dict(dataset_meta=dataset.metainfo))
    assert list(meta['dataset_meta']['classes']) == ['a', 'b', 'c']
    assert {type(name) for name in meta['dataset_meta']['classes']} == {str}


def test_a_class_without_images_is_said(classes, told):
    (classes / 'empty').mkdir()
    load(classes, dict(type='FolderClasses'))
    assert one_line(told, 'have no images and no class', 'empty')


def test_an_image_of_no_class_costs_no_other(classes, told):
    save(classes / 'grid.png')
    dataset = load(classes, dict(type='FolderClasses'))
    assert [sample['gt_label'] for sample in dataset] == [0, 1, 2]
    assert one_line(told, '1 images are in no folder', 'grid.png')


@pytest.mark.filterwarnings('error')
@pytest.mark.parametrize('limit', [20, 40], ids=['refused', 'warned of'])
@pytest.mark.parametrize('suffix', ['png', 'webp', 'jpg', 'tiff', 'gif'])
def test_a_gigantic_picture_is_read(tmp_path, monkeypatch, suffix, limit):
    """Pillow's limit is lowered, and stays as it is for others."""
    save(tmp_path / f'pano.{suffix}')
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', limit)
    assert load(tmp_path, strict=True)[0]['img'].shape == (8, 8, 3)
    assert limit == Image.MAX_IMAGE_PIXELS
    with pytest.raises(
        (Image.DecompressionBombError, Image.DecompressionBombWarning)
    ):
        Image.open(tmp_path / f'pano.{suffix}')


@pytest.mark.slow
def test_a_picture_of_200_million_pixels_is_read(tmp_path):
    Image.new('1', (20000, 10000)).save(tmp_path / 'pano.png')
    assert load(tmp_path, strict=True)[0]['img'].shape == (10000, 20000, 3)


@pytest.mark.parametrize('kind', ['text', 'packed', 'profile', 'behind'])
def test_a_png_with_a_large_text_is_read(tmp_path, kind):
    info = PngImagePlugin.PngInfo()
    options = {}
    long = 'a' * 3_000_000
    if kind == 'profile':
        options['icc_profile'] = long.encode()
    elif kind == 'behind':
        info.add(
            b'zTXt', b'x\0\0' + zlib.compress(long.encode()), after_idat=True
        )
    else:
        info.add_text('x', long, zip=kind == 'packed')
    save(tmp_path / 'a.png', pnginfo=info, **options)
    assert load(tmp_path, strict=True)[0]['img'][0, 0].tolist() == [10, 20, 30]


def test_a_png_whose_text_is_broken_is_read(tmp_path):
    info = PngImagePlugin.PngInfo()
    info.add_text('x', 'hello')
    save(tmp_path / 'a.png', pnginfo=info)
    content = (tmp_path / 'a.png').read_bytes()
    (tmp_path / 'a.png').write_bytes(content.replace(b'hello', b'hullo'))
    assert read_image(str(tmp_path / 'a.png')).shape == (8, 8, 3)


@pytest.mark.parametrize('channels', [1, 3])
def test_12_bits_in_16_are_said_with_the_remedy(tmp_path, told, channels):
    values = np.linspace(0, 4095, 64).reshape(8, 8).astype(np.uint16)
    cv2.imwrite(str(tmp_path / 'a.png'), np.dstack([values] * channels))
    load(tmp_path)
    assert one_line(told, '16 bits', 'value_range=(0, 4095)', 'a.png')
    told.clear()
    dataset = ImageFolder(
        str(tmp_path),
        pipeline=[dict(type='LoadImage', value_range=(0, 4095))],
        serialize_data=False,
    )
    assert told == []
    expected = (values / 4095 * 255).round()
    assert abs(dataset[0]['img'][..., 0] - expected).max() <= 1


def test_16_bits_that_are_used_are_not_talked_about(tmp_path, told):
    Image.fromarray(np.array([[0, 65535]], np.uint16)).save(tmp_path / 'a.png')
    load(tmp_path)
    assert told == []


def test_floats_of_a_range_that_is_given_are_used(tmp_path, told):
    """From the file, and not only by the function that reads it."""
    values = np.array([[0, 100, 300]], np.float32)
    Image.fromarray(values).save(tmp_path / 'a.tiff')
    step = LoadImage(value_range=(0, 300))
    (sample,) = ImageFolder(str(tmp_path), pipeline=[step], strict=True)
    assert sample['img'][..., 0].tolist() == [[0, 85, 255]]
    assert told == []


def test_a_float_image_of_another_range_costs_no_other(tmp_path, told):
    save(tmp_path / 'a.png')
    Image.fromarray(np.array([[0, 3e3]], np.float32)).save(tmp_path / 'b.tiff')
    assert names(load(tmp_path), tmp_path) == ['a.png']
    assert one_line(told, '1 images of floats', '0 to 3000', 'value_range')


KINDS = ['bmp', 'gif', 'tiff', 'tif', 'jfif', 'avif', 'webp', 'jp2', 'tga']
KINDS += ['ppm', 'qoi', 'jpe', 'dib', 'pcx', 'sgi', 'ico', 'dds']


def test_all_kinds_that_pillow_reads_are_used(tmp_path):
    for kind in KINDS:
        save(tmp_path / f'{kind}.{kind}', SMALL.resize((16, 16)))
    dataset = load(tmp_path, strict=True)
    assert len(dataset) == len(KINDS)
    for sample in dataset:
        assert abs(sample['img'].astype(int) - [10, 20, 30]).max() <= 6


@pytest.mark.parametrize('suffix', ['gif', 'webp', 'tiff', 'png', 'avif'])
def test_a_single_picture_is_no_animation(tmp_path, told, suffix):
    save(tmp_path / f'a.{suffix}', SMALL.resize((16, 16)))
    load(tmp_path)
    assert told == []


@pytest.mark.parametrize('suffix', ['gif', 'webp', 'tiff', 'png', 'avif'])
def test_of_an_animation_the_first_picture_is_read(tmp_path, told, suffix):
    frames = [Image.new('RGB', (16, 16), (level,) * 3) for level in (0, 200)]
    frames[0].save(
        tmp_path / f'a.{suffix}', save_all=True, append_images=frames[1:]
    )
    assert load(tmp_path)[0]['img'].max() <= 3
    assert one_line(told, '1 images have several pictures', 'first')


@pytest.mark.parametrize(
    'name, words',
    [
        ('b.heic', ['1 files ending in .heic', 'convert']),
        ('b.mp4', ['1 files ending in .mp4']),
        ('b', ['without an image suffix', 'suffix']),
        ('b.jpg_large', ['without an image suffix']),
    ],
)
def test_pictures_that_are_not_read_are_counted(tmp_path, told, name, words):
    save(tmp_path / 'a.png')
    SMALL.save(tmp_path / name, format='JPEG')
    assert names(load(tmp_path), tmp_path) == ['a.png']
    assert one_line(told, *words) == logging.WARNING
    with pytest.raises(ValueError, match='strict=True'):
        load(tmp_path, strict=True)


def test_an_exif_turn_is_followed(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    save(tmp_path / 'a.jpg', SMALL.resize((16, 8)), exif=exif)
    assert load(tmp_path)[0]['img'].shape == (16, 8, 3)


def test_a_blue_cmyk_jpeg_is_blue(tmp_path):
    save(tmp_path / 'a.jpg', Image.new('CMYK', (8, 8), (255, 255, 0, 0)))
    red, green, blue = load(tmp_path)[0]['img'][0, 0].astype(int)
    assert blue > 250 and max(green, red) < 5


def test_transparent_pixels_are_white(tmp_path):
    save(tmp_path / 'a.png', Image.new('RGBA', (4, 4), (0, 0, 0, 0)))
    palette = Image.new('P', (4, 4))
    palette.putpalette([0, 0, 0])
    save(tmp_path / 'b.png', palette, transparency=0)
    assert [s['img'].min() for s in load(tmp_path)] == [255, 255]


@pytest.mark.parametrize(
    'annotations',
    [dict(type='LabelMaps', folder='maps'), dict(type='CaptionFiles')],
    ids=['maps', 'captions'],
)
def test_two_images_of_one_map_or_caption_are_refused(tmp_path, annotations):
    for name in ('a.png', 'a.jpg'):
        save(tmp_path / 'images' / name)
    save(tmp_path / 'maps/a.png', Image.new('L', (8, 8)))
    (tmp_path / 'images/a.txt').write_text('one')
    with pytest.raises(
        ValueError, match='images a.jpg and a.png would both take .*a.*rename'
    ):
        load(tmp_path, annotations, images='images')


@pytest.mark.parametrize('size', [(4, 6), [4, 6]])
def test_images_may_be_cut_to_a_rectangle(tmp_path, size):
    save(tmp_path / 'a.png')
    pipeline = ['LoadImage', 'ResizeShorterSide', 'Crop', 'PackInputs']
    steps = [dict(type=name) for name in pipeline]
    steps[2]['random'] = True
    dataset = ImageFolder(str(tmp_path), pipeline=steps, size=size)
    assert dataset[0]['inputs'].shape == (3, 4, 6)
    assert dataset[0]['data_samples'].img_shape == (4, 6)


def test_the_hole_of_a_transparent_mask_is_what_is_white(tmp_path):
    image = Image.new('RGBA', (8, 8), (0, 0, 0, 0))
    image.paste((255, 255, 255, 255), (2, 2, 4, 4))
    save(tmp_path / 'a.png', image)
    mask = read_mask(str(tmp_path / 'a.png'))
    assert mask.sum() == 4 and mask[2:4, 2:4].all()
