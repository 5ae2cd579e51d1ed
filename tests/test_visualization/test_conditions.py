import numpy as np
import pytest
import torch

from mmldm.structures import LDMDataSample
from mmldm.visualization import render_sample
from mmldm.visualization.conditions import GAP, GREY, HEIGHT, colour

IMAGE = np.random.default_rng(0).integers(0, 256, (64, 32, 3), np.uint8)
FACTOR = HEIGHT // 64
WIDTH = 32 * FACTOR


def sample(label=None, **fields):
    made = LDMDataSample()
    for key, value in fields.items():
        made.set_field(value, key)
    return made if label is None else made.set_gt_label(label)


def tile(picture, number):
    """At the size of the image."""
    left = number * (WIDTH + GAP)
    enlarged = picture[:HEIGHT, left : left + WIDTH]
    assert enlarged.shape == (HEIGHT, WIDTH, 3)
    return enlarged[FACTOR // 2 :: FACTOR, FACTOR // 2 :: FACTOR]


def text(picture):
    """What is below the images."""
    return picture[HEIGHT:]


def test_an_image_without_conditions_is_only_enlarged():
    picture = render_sample(IMAGE, sample())
    enlarged = IMAGE.repeat(FACTOR, 0).repeat(FACTOR, 1)
    assert np.array_equal(picture[:HEIGHT], enlarged)
    assert (text(picture) == 255).all()


def test_a_large_image_keeps_its_size():
    image = np.zeros((300, 200, 3), np.uint8)
    picture = render_sample(image, sample())
    assert np.array_equal(picture[:300], image)


def test_a_request_is_grey_and_has_its_size():
    request = LDMDataSample(metainfo=dict(img_shape=(64, 32)))
    picture = render_sample(None, request)
    assert np.array_equal(tile(picture, 0), np.full((64, 32, 3), GREY))


def test_boxes_are_drawn_in_the_colour_of_their_class():
    layout = [(3, (0.25, 0.5, 0.5, 0.25))]
    picture = render_sample(IMAGE, sample(layout=layout))
    plain = render_sample(IMAGE, sample())
    left, right = WIDTH // 4, 3 * WIDTH // 4 - 1
    top, bottom = HEIGHT // 2, 3 * HEIGHT // 4 - 1
    for y, x in ((bottom, left), (bottom, right), (top + 30, left)):
        assert picture[y, x].tolist() == colour(3)
    changed = (picture[:HEIGHT] != plain[:HEIGHT]).any(axis=2)
    assert not changed[: top - 1].any() and not changed[bottom + 1 :].any()
    assert not changed[top + 30, left + 2 : right - 1].any()


def test_boxes_of_a_crop_are_drawn_where_it_shows_them():
    cropped = sample(layout=[(3, (0.5, 0.5, 0.25, 0.25))])
    cropped.set_metainfo(dict(crop_box=(0.5, 0.0, 0.5, 1.0)))
    shown = sample(layout=[(3, (0.0, 0.5, 0.5, 0.25))])
    assert np.array_equal(
        render_sample(IMAGE, cropped), render_sample(IMAGE, shown)
    )


@pytest.mark.parametrize(
    'box', [(0, 0, 0.001, 0.001), (0.99, 0.99, 0.01, 0.01)]
)
def test_a_tiny_box_can_be_drawn(box):
    render_sample(IMAGE, sample(layout=[(3, box)]), classes=('a',) * 4)


def test_a_map_lies_over_the_image_and_its_classes_have_numbers():
    labels = torch.zeros(1, 64, 32, dtype=torch.int64)
    labels[:, 32:] = 7
    picture = render_sample(IMAGE, sample(gt_sem_seg=labels))
    found = tile(picture, 1).astype(int)
    for rows, fill in ((slice(0, 8), [GREY] * 3), (slice(56, 64), colour(7))):
        expected = 0.4 * IMAGE[rows] + 0.6 * np.array(fill)
        assert abs(found[rows] - expected).max() <= 1
    middle = (found[40:56] == colour(7)).all(axis=2)
    assert middle.any()


def test_a_hole_is_black_in_the_image_and_white_beside_it():
    mask = torch.zeros(1, 64, 32, dtype=torch.uint8)
    mask[:, 16:48] = 1
    picture = render_sample(IMAGE, sample(mask=mask))
    masked, hole = tile(picture, 1), tile(picture, 2)
    assert np.array_equal(masked[:16], IMAGE[:16])
    assert not masked[16:48].any()
    assert np.array_equal(hole[..., 0], mask[0].numpy() * 255)


def test_a_small_image_stands_beside_at_the_same_size():
    small = torch.randint(256, (3, 16, 8), dtype=torch.uint8)
    picture = render_sample(IMAGE, sample(img_lq=small))
    expected = small.permute(1, 2, 0).numpy().repeat(4, 0).repeat(4, 1)
    assert np.array_equal(tile(picture, 1), expected)


@pytest.mark.parametrize(
    'one, other',
    [
        (dict(caption='one'), dict(caption='two')),
        (dict(label=3), dict(label=4)),
        (dict(layout=[]), dict()),
        (dict(img_path='a.png'), dict(img_path='b.png')),
        (dict(mask=torch.ones(1, 64, 32)), dict(mask=torch.zeros(1, 64, 32))),
    ],
    ids=['caption', 'class', 'objects', 'file', 'hole'],
)
def test_what_is_told_is_written_below(one, other):
    texts = []
    for fields in (one, other):
        path = fields.pop('img_path', None)
        made = sample(**fields)
        if path:
            made.set_metainfo(dict(img_path=path))
        texts.append(text(render_sample(IMAGE, made)))
    same = texts[0].shape == texts[1].shape
    assert not same or (texts[0] != texts[1]).any()


def test_a_class_that_is_named_by_its_number_is_written_once():
    made = sample()
    made.set_gt_label(1)
    plain = render_sample(IMAGE, made)
    named = render_sample(IMAGE, made, classes=('0', '1'))
    assert np.array_equal(named, plain)


def test_names_of_classes_are_written():
    made = sample(label=1)
    named = render_sample(IMAGE, made, classes=('cat', 'dog'))
    assert (text(named)[:, :60] < 128).sum() > (
        text(render_sample(IMAGE, made))[:, :60] < 128
    ).sum()


def test_a_long_caption_is_broken_into_lines():
    short = render_sample(IMAGE, sample(caption='a cat'))
    long = render_sample(IMAGE, sample(caption='a cat ' * 30))
    assert long.shape[1] == short.shape[1]
    assert len(long) > len(short) + 100


def test_neighbouring_classes_have_unlike_colours():
    colours = np.array([colour(c) for c in range(200)])
    assert abs(np.diff(colours, axis=0)).sum(1).min() > 100


def test_references_stand_beside_it_at_its_height():
    red = np.zeros((3, 8, 4), np.uint8)
    red[0] = 255
    refs = [torch.from_numpy(red), torch.zeros(3, 5, 5, dtype=torch.uint8)]
    picture = render_sample(IMAGE, sample(ref_imgs=refs))
    assert np.array_equal(tile(picture, 1), np.tile([255, 0, 0], (64, 32, 1)))
    assert not picture[:HEIGHT, -HEIGHT:].any()
    assert picture.shape[1] == 2 * (WIDTH + GAP) + HEIGHT


def test_maps_of_ones_own_stand_beside_the_image():
    """In order of their names; other numbers than of 8 bits are stretched."""
    grey = torch.randint(256, (1, 64, 32), dtype=torch.uint8)
    colours = torch.from_numpy(IMAGE.copy()).permute(2, 0, 1)
    depth = torch.linspace(2, 4, 2 * 64 * 32).reshape(2, 64, 32)
    told = sample(sketch=grey, colours=colours, depth=depth, gt_img=grey)
    picture = render_sample(IMAGE, told)
    assert picture.shape[1] == 5 * WIDTH + 4 * GAP
    assert np.array_equal(tile(picture, 1), IMAGE)
    stretched = ((depth - 2) / 2 * 255).round()
    for number, expected in (
        (2, stretched[0]),
        (3, stretched[1]),
        (4, grey[0]),
    ):
        for found in np.moveaxis(tile(picture, number), 2, 0):
            assert np.array_equal(found, expected.numpy())


def test_a_flat_map_and_a_small_one_can_be_drawn():
    flat = torch.full((1, 64, 32), 7.0)
    small = torch.arange(2, dtype=torch.uint8).reshape(1, 2, 1) * 200
    picture = render_sample(IMAGE, sample(flat=flat, small=small))
    assert not tile(picture, 1).any()
    assert (tile(picture, 2) == np.repeat([0, 200], 32)[:, None, None]).all()
