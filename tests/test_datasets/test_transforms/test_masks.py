import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from mmldm.datasets.transforms import LoadMask, RandomMask
from mmldm.datasets.transforms import masks as masks_module
from mmldm.datasets.transforms.masks import PRESETS, Boxes, Strokes


def image(side=256, **more):
    return dict(img=np.zeros((side, side, 3), np.uint8), **more)


def masks(preset, count=200, side=256, **options):
    draw = RandomMask([preset], **options)
    return np.stack([draw(image(side))['mask'] for _ in range(count)])


@pytest.mark.parametrize('side', [32, 256])
@pytest.mark.parametrize('preset', PRESETS)
def test_a_hole_is_never_nothing_nor_more_than_asked(preset, side):
    for max_share in (0.25, 0.5):
        drawn = masks(preset, 20, side, max_share=max_share)
        shares = drawn.mean((1, 2))
        assert set(np.unique(drawn)) == {0, 1}
        assert shares.min() > 0
        assert shares.max() <= max_share
    assert shares.max() > 0.25
    assert drawn.dtype == np.uint8


@pytest.mark.parametrize(
    'preset, share, below_half',
    [
        ('thin', 0.295, 0.289),
        ('medium', 0.242, 0.239),
        ('thick', 0.400, 0.265),
        ('training', 0.355, 0.263),
        ('boxes', 0.247, 0.245),
    ],
)
def test_holes_hide_as_much_as_lamas(preset, share, below_half):
    """Means of 20,000 masks each of LaMa's own generator.

    Of all of them, and of those up to half of the image. One chain fewer
    hides 0.37 for 'thick'.
    """
    np.random.seed(0)
    found = masks(preset, 4000, max_share=1).mean((1, 2))
    for some, expected in ((found, share), (found[found <= 0.5], below_half)):
        error = some.std() / len(some) ** 0.5
        assert some.mean() == pytest.approx(expected, abs=3 * error)
        assert error < 0.004


def test_lines_have_the_whole_numbers_of_lamas(monkeypatch):
    """Chains run to 0.01, 1.01, 2.01 or 3.01 radians, left first."""
    lines = []
    monkeypatch.setattr(
        masks_module.cv2,
        'line',
        lambda mask, start, stop, **more: lines.append(
            (*start, *stop, more['thickness'])
        ),
    )
    for _ in range(300):
        Strokes((1, 1), length=20, width=8).draw(
            np.zeros((1000, 1000), np.uint8), 1.0
        )
    found = np.array(lines)
    assert set(found[:, 4]) == set(range(5, 13))
    inside = found[(found[:, 2:4] > 0).all(1) & (found[:, 2:4] < 1000).all(1)]
    x, y = (inside[:, 2:4] - inside[:, :2]).T
    directions = np.exp(1j * np.arctan2(-x, y))
    known = np.exp(1j * np.array([0.01, 1.01, 2.01, 3.01]))
    # Ends are cut to whole pixels, of lines of 10 or more.
    assert abs(directions[:, None] - known).min(1).max() < 0.15
    assert len(directions) > 500


def thickness(mask):
    """Half the width of the widest part, pixels."""
    return ndimage.distance_transform_cdt(np.pad(mask, 1)).max()


def test_presets_differ_in_width():
    widths = {
        name: np.mean([thickness(mask) for mask in masks(name, 25)])
        for name in ('thin', 'medium', 'thick')
    }
    assert widths['thin'] < 0.6 * widths['medium']
    assert widths['medium'] < 0.8 * widths['thick']


def is_box(mask):
    """All of a rectangle is hidden."""
    rows, columns = np.nonzero(mask)
    return mask[
        rows.min() : rows.max() + 1, columns.min() : columns.max() + 1
    ].all()


@pytest.mark.parametrize(
    'preset, low, high',
    [('thin', 0, 0), ('medium', 0.1, 0.4), ('thick', 0.1, 0.4)],
)
def test_some_holes_have_right_angles_only(preset, low, high):
    """30 boxes come on 100 strokes."""
    has_slopes = []
    for mask in masks(preset, 120):
        corners = (
            mask[:-1, :-1].astype(int)
            + mask[1:, 1:]
            + mask[1:, :-1]
            + mask[:-1, 1:]
        )
        # A slope is steps, a box has four corners.
        has_slopes.append((corners % 2 == 1).sum() > 24)
    assert low <= 1 - np.mean(has_slopes) <= high


def test_boxes_keep_their_margin_and_sides():
    boxes = Boxes((1, 1), side=(30, 150), margin=10)
    for _ in range(200):
        mask = np.zeros((256, 200), np.uint8)
        boxes.draw(mask, 1.0)
        assert is_box(mask)
        rows, columns = np.nonzero(mask)
        assert rows.min() >= 10 and rows.max() < 246
        assert columns.min() >= 10 and columns.max() < 190
        for places in (rows, columns):
            assert 30 <= places.max() - places.min() + 1 <= 150


def test_strokes_favour_neither_left_nor_right():
    """One chain of two runs each way, and comes to its edge."""
    strokes = Strokes((2, 2), length=100, width=10)
    mass = np.zeros(256)
    for _ in range(200):
        mask = np.zeros((256, 256), np.uint8)
        strokes.draw(mask, 1.0)
        mass += mask.sum(0)
    left, right = mass[:64].sum(), mass[-64:].sum()
    assert left / right == pytest.approx(1, abs=0.25)


def test_a_hole_may_be_all_but_everything():
    draw = RandomMask(['thick'], max_share=1)
    shares = [draw(image(4))['mask'].mean() for _ in range(300)]
    assert 0.9 < max(shares) < 1


def test_a_chain_goes_on_where_its_last_line_ended():
    """Five lines of 30 pixels at most, which end apart by more than two."""
    strokes = Strokes((1, 1), length=20, width=1)
    extents = []
    for _ in range(200):
        mask = np.zeros((256, 256), np.uint8)
        strokes.draw(mask, 1.0)
        assert ndimage.label(mask)[1] == 1
        places = np.nonzero(mask)
        extents.append(max(p.max() - p.min() for p in places))
    assert 80 < max(extents) < 160


def test_as_many_boxes_come_as_said():
    """Of side 1 on a large image they hardly ever meet."""
    mask = np.zeros((1000, 1000), np.uint8)
    counts = set()
    for _ in range(100):
        mask[:] = 0
        Boxes((2, 4), side=(1, 1), margin=0).draw(mask, 1.0)
        counts.add(int(mask.sum()))
    assert counts - {1} == {2, 3, 4}


def test_holes_grow_with_the_image():
    for strokes in (False, True):
        shares = []
        for side in (128, 512):
            kind = (
                Strokes((3, 3), length=60, width=30)
                if strokes
                else Boxes((3, 3), side=(20, 60), margin=0)
            )
            mask = np.zeros((side, side), np.uint8)
            share = 0
            for _ in range(100):
                mask[:] = 0
                kind.draw(mask, side / 256)
                share += mask.mean() / 100
            shares.append(share)
        assert shares[0] == pytest.approx(shares[1], rel=0.2)


def test_every_given_preset_is_drawn():
    """What is thicker than thin ones get, and what is thinner than boxes."""
    draw = RandomMask(['thin', 'boxes'])
    boxes = [thickness(draw(image())['mask']) > 25 for _ in range(100)]
    assert 0.2 < np.mean(boxes) < 0.8


def test_the_mask_has_the_images_shape():
    results = RandomMask()(dict(img=np.zeros((20, 50, 3), np.uint8)))
    assert results['mask'].shape == (20, 50)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(presets=['thik']), "presets='thik' is not known; .*'thick'"),
        (dict(presets=[]), 'presets is empty: give some of thin'),
        (dict(max_share=0), r'max_share=0 must be in \(0, 1'),
        (dict(max_share=50), 'max_share=50 must be in'),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        RandomMask(**options)


def test_an_image_too_small_for_a_hole_is_refused():
    with pytest.raises(ValueError, match='image of 1x1.*raise RandomMask.max'):
        RandomMask()(image(side=1))


def write(path, values):
    Image.fromarray(np.array(values, np.uint8)).save(path)
    return str(path)


def test_a_mask_is_read_from_its_file(tmp_path):
    path = write(tmp_path / 'm.png', [[0, 127, 128, 255], [255, 0, 0, 0]])
    results = LoadMask()(dict(img=np.zeros((2, 4, 3)), mask_path=path))
    assert results['mask'].tolist() == [[0, 0, 1, 1], [1, 0, 0, 0]]


def test_a_mask_of_another_size_is_refused_by_name(tmp_path):
    path = write(tmp_path / 'm.png', [[0, 255]])
    results = dict(img=np.zeros((2, 4, 3)), mask_path=path, img_path='a.png')
    with pytest.raises(
        ValueError, match='m.png is 1x2, its image a.png 2x4: give both'
    ):
        LoadMask()(results)


@pytest.mark.parametrize('level, word', [(0, 'black'), (255, 'white')])
def test_a_mask_of_one_colour_is_refused_by_name(tmp_path, level, word):
    path = write(tmp_path / 'm.png', [[level] * 4] * 2)
    with pytest.raises(ValueError, match=f'm.png is all {word}'):
        LoadMask()(dict(img=np.zeros((2, 4, 3)), mask_path=path))


def test_any_mask_of_a_folder_is_taken_and_scaled(tmp_path):
    write(tmp_path / 'a.png', [[0, 255]])
    write(tmp_path / 'b.png', [[255, 0]])
    load = LoadMask(str(tmp_path))
    firsts = [load(image(8))['mask'] for _ in range(50)]
    assert {mask.tolist()[0].index(1) for mask in firsts} == {0, 4}
    assert all(mask.shape == (8, 8) and mask.sum() == 32 for mask in firsts)


def test_a_folder_without_masks_is_refused(tmp_path):
    with pytest.raises(ValueError, match='LoadMask.folder=.* holds no images'):
        LoadMask(str(tmp_path))


def test_a_folder_of_masks_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(
        FileNotFoundError, match='LoadMask.folder=.*nope. is not a folder'
    ):
        LoadMask(str(tmp_path / 'nope'))


def test_a_mask_of_0_and_1_is_refused_with_its_values(tmp_path):
    path = write(tmp_path / 'm.png', [[0, 0, 1, 1]] * 2)
    with pytest.raises(
        ValueError, match='its values are 0 to 1, white is 255'
    ):
        LoadMask()(dict(img=np.zeros((2, 4, 3)), mask_path=path))


def test_a_damaged_mask_is_called_one(tmp_path):
    (tmp_path / 'm.png').write_text('x')
    path = str(tmp_path / 'm.png')
    with pytest.raises(ValueError, match='^mask .*m.png cannot be read'):
        LoadMask()(dict(img=np.zeros((2, 4, 3)), mask_path=path))
