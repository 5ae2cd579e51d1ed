"""Data that do not suit the model are refused before training."""

import cv2
import numpy as np
import pytest
from torch import nn

from mmldm.datasets import ImageFolder
from mmldm.engine import data_checks
from mmldm.engine.data_checks import (
    check_classes,
    check_image_size,
    count_cut_captions,
)
from mmldm.models.conditioners import BertTokens, pretrained_tokens
from mmldm.models.denoisers import DiffusionTransformer
from mmldm.registry import TRANSFORMS

MAPS = dict(type='SemanticMap', num_classes=25, num_stages=1, embed_dim=1)
BESIDE = dict(in_channels=5, context_dim=None)
LAYOUT = dict(
    type='TokenTransformer',
    tokenizer=dict(
        type='LayoutTokens', num_classes=2, max_objects=1, vocab_size=25
    ),
    vocab_size=25,
    max_length=5,
    embed_dim=8,
    num_layers=1,
)


class Data:
    """What is asked of a data set."""

    def __init__(self, classes, *steps, **entry):
        self.metainfo = dict(classes=classes)
        self.entry = entry
        steps = map(TRANSFORMS.build, steps)
        self.pipeline = type('Pipeline', (), dict(transforms=[*steps]))

    def get_data_info(self, index):
        return self.entry


def folder_of_classes(folder, num):
    for i in range(num):
        (folder / f'c{i:02}').mkdir()
        image = np.zeros((8, 8, 3), np.uint8)
        cv2.imwrite(str(folder / f'c{i:02}/0.png'), image)
    return dict(
        type='ImageFolder',
        data_root=str(folder),
        size=8,
        annotations=[dict(type='FolderClasses')],
        pipeline=[dict(type='LoadImage'), dict(type='PackInputs')],
    )


def test_a_training_is_refused_before_it_begins(build_runner, tmp_path):
    (tmp_path / 'images').mkdir()
    data = folder_of_classes(tmp_path / 'images', 11)
    data['_delete_'] = True
    runner = build_runner(train_dataloader__dataset=data)
    with pytest.raises(ValueError) as error:
        runner.train()
    assert str(error.value) == (
        'train_dataloader.dataset has 11 classes (c00, c01, c02 ...), but '
        'model.conditioner.embedders.0.num_classes=10: set it to 11, or use '
        'data with the 10 classes of the model'
    )
    assert not runner.record.losses


def test_as_many_or_less_are_right(tmp_path, tiny_ldm):
    data = folder_of_classes(tmp_path, 10)
    data.pop('type')
    check_classes(ImageFolder(**data), tiny_ldm())
    check_classes(Data(['a'], gt_label=0), tiny_ldm())


def test_classes_of_boxes_are_those_of_the_tokenizer(tiny_ldm):
    model = tiny_ldm(conditioner=dict(embedders=[LAYOUT]))
    boxes = Data(['a', 'b', 'c'], layout=[])
    with pytest.raises(
        ValueError, match=r'embedders.0.tokenizer.num_classes=2: set it to 3'
    ):
        check_classes(boxes, model)
    # Of labels, which it is not told, it needs to know nothing.
    check_classes(Data(['a', 'b', 'c'], gt_label=0), model)


def test_classes_of_pixels_are_those_of_the_map(tiny_ldm):
    model = tiny_ldm(conditioner=dict(embedders=[MAPS]), denoiser=BESIDE)
    load = dict(type='LoadLabelMap', num_classes=151)
    first = dict(type='LoadImage')
    with pytest.raises(
        ValueError,
        match=r'dataset.pipeline.1.num_classes=151, but model.conditioner.'
        r'embedders.0.num_classes=25: set it to 151',
    ):
        check_classes(Data(None, first, load), model)
    check_classes(Data(None, dict(load, num_classes=25)), model)


def test_of_two_embedders_the_one_with_less_counts(tiny_ldm):
    embedders = [
        dict(type='ClassEmbedder', num_classes=n, embed_dim=8) for n in (9, 7)
    ]
    model = tiny_ldm(conditioner=dict(embedders=embedders))
    counts = model.conditioner.class_counts
    assert counts == dict(gt_label=('embedders.1.num_classes', 7))


@pytest.mark.parametrize('size', [10, (8, 14)])
def test_a_size_that_patches_do_not_divide_is_refused(tiny_ldm, size):
    """Latents of factor 2 and patches of 2: multiples of 4 pixels."""
    model = tiny_ldm()
    dataset = type('Sized', (), dict(size=size))
    check_image_size(dataset, model)
    model.denoiser = DiffusionTransformer(4, 4, 32, 2, 1, 2)
    with pytest.raises(ValueError, match='dataset.size to a multiple of 4'):
        check_image_size(dataset, model)
    dataset.size = 8
    check_image_size(dataset, model)


@pytest.fixture
def told(tmp_path):
    """A model that reads two words between BERT's two marks."""
    words = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', 'a', 'red', 'circle']
    (tmp_path / 'vocab.txt').write_text('\n'.join(words))
    model = nn.Module()
    model.tokenizer = BertTokens(str(tmp_path), max_length=4)
    return model


@pytest.fixture
def lines(monkeypatch):
    """What is logged about captions, before and in training."""
    lines = []
    for module in (data_checks, pretrained_tokens):
        monkeypatch.setattr(
            module, 'print_log', lambda text, **how: lines.append(text)
        )
    return lines


class Captioned:
    """Images with one caption, and the last one with two."""

    def __init__(self, *captions, last):
        self.entries = [dict(captions=[caption]) for caption in captions]
        self.entries.append(dict(captions=last))

    def __len__(self):
        return len(self.entries)

    def get_data_info(self, index):
        return self.entries[index]


def test_captions_that_will_be_cut_are_counted(told, lines):
    """Once: the tokenizer does not warn of them again in training."""
    long = 'a red red circle'
    data = Captioned('a', 'a circle', last=['a red circle', long])
    count_cut_captions(data, told)
    (line,) = lines
    assert line.startswith(
        '2 of 4 captions of train_dataloader.dataset are cut to the 4 tokens '
        f'that the text encoder reads; the longest has 6, {long!r}: shorten'
    )
    told.tokenizer.ids([long])
    assert len(lines) == 1


def test_captions_that_fit_are_not_named(told, lines):
    count_cut_captions(Captioned('a', last=['a circle']), told)
    count_cut_captions(object(), told)  # a foreign data set
    assert not lines


def test_of_many_captions_a_thousand_are_looked_at(told, monkeypatch):
    """Those of images from the first to nearly the last."""
    seen = []
    monkeypatch.setattr(
        BertTokens, 'length', lambda self, caption: seen.append(caption) or 1
    )
    count_cut_captions(Captioned(*map(str, range(2998)), last=['last']), told)
    assert seen == [str(i) for i in range(0, 2999, 3)]
