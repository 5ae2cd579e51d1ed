"""What all that read layouts refuse."""

import pytest
import torch

from mmldm.models.conditioners import BoxEmbedder, LayoutTokens
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
