"""What all that read layouts refuse."""

import pytest
import torch

from mmldm.models.conditioners import BoxEmbedder, BoxMap, LayoutTokens
from mmldm.structures import LDMDataSample

BOX = (0.1, 0.2, 0.3, 0.4)


@pytest.fixture(params=[LayoutTokens, BoxEmbedder])
def read(request):
    """Has a layout read, of 9 classes and 2 objects at most."""
    kind = request.param
    more = dict(embed_dim=4, hidden_dim=4) if kind is BoxEmbedder else {}
    reader = kind(num_classes=9, max_objects=2, **more)

    def read(*layout):
        place = dict(img_path='a.png')
        sample = LDMDataSample(metainfo=place, layout=layout)
        return reader([sample], torch.tensor([False]))

    read.name = kind.__name__
    return read


@pytest.mark.parametrize(
    'item, message',
    [
        ((7, (0.8, 0, 0.3, 1)), r'box of object 1 in the layout of a.png is '),
        ((7, (-0.1, 0, 0.3, 1)), 'clip it to the image'),
        ((7, (0, 0, 1, 1.1)), 'clip it to the image'),
        ((7, (0, 0, 0, 1)), 'w, h > 0'),
        ((7, (0, 0, float('nan'), 1)), 'w, h > 0'),
        ((7, (0, 0, 1)), r'must be \(x, y, w, h\)'),
        ((9, (0, 0, 1, 1)), r'object 1 .* class 9, which is not in \[0, 9\)'),
        ((-1, (0, 0, 1, 1)), 'class -1'),
        ((1.5, (0, 0, 1, 1)), r'must be \(class, \(x, y, w, h\)\)'),
        ((7,), r'must be \(class, \(x, y, w, h\)\)'),
        (7, r'object 1 in the layout of a.png is 7, but must be'),
    ],
)
def test_an_object_that_is_wrong_is_refused(read, item, message):
    with pytest.raises(ValueError, match=message):
        read((0, BOX), item)


def test_the_reader_is_named_with_what_it_takes(read):
    with pytest.raises(ValueError, match=f'set {read.name}.num_classes to'):
        read((9, BOX))
    message = f'a.png has 3 objects, but {read.name}.max_objects=2: leave'
    with pytest.raises(ValueError, match=message):
        read(*[(0, BOX)] * 3)


def test_a_missing_layout_is_refused():
    embedder = BoxEmbedder(9, 4)
    with pytest.raises(ValueError, match='no layout, which BoxEmbedder needs'):
        embedder([LDMDataSample()], torch.tensor([False]))


CROP, SHOWN = (0.4, 0.0, 0.6, 1.0), (1 / 6, 0.2, 0.5, 0.4)
EMBEDDERS = [
    BoxEmbedder(9, 4, max_objects=2, hidden_dim=4),
    BoxMap(9, num_stages=1, embed_dim=4),
]


@pytest.mark.parametrize('embedder', EMBEDDERS)
def test_an_embedder_is_told_what_the_image_shows(embedder):
    """Boxes are in the full picture; the embedder sees the crop alone."""
    keep, size = torch.tensor([False]), dict(img_shape=(8, 8))
    cropped = LDMDataSample(
        metainfo=dict(crop_box=CROP, **size),
        layout=[(7, (0.5, 0.2, 0.3, 0.4)), (3, (0.0, 0.0, 0.4, 1.0))],
    )
    shown = LDMDataSample(metainfo=size, layout=[(7, SHOWN)])
    torch.testing.assert_close(
        embedder([cropped], keep), embedder([shown], keep)
    )


@pytest.mark.parametrize('embedder', EMBEDDERS)
def test_a_crop_outside_of_the_picture_is_refused(embedder):
    place = dict(img_path='a.png', img_shape=(8, 8), crop_box=(0.5, 0, 1, 1))
    sample = LDMDataSample(metainfo=place, layout=[])
    with pytest.raises(ValueError, match='the crop_box of a.png is'):
        embedder([sample], torch.tensor([False]))
