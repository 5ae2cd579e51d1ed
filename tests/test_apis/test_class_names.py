"""Classes by their names."""

import pytest
import torch
from mmengine.config import Config

from mmldm.apis import LatentDiffusionInferencer, init_model, publish_model
from mmldm.apis.class_names import class_names, class_number
from mmldm.models.conditioners import Conditioner
from mmldm.utils.checkpoint import write_checkpoint
from mmldm.utils.stored_config import store_config

NAMES = [
    *('tabby, tabby cat', 'tiger cat', 'crane', 'Great_Dane', 'crane'),
    *('10', '2', '../x y', 'red fox', 'fox'),
]


@pytest.fixture
def model(tiny_ldm):
    return tiny_ldm(image_size=8, conditioner=dict(class_names=NAMES))


@pytest.mark.parametrize(
    'label, number',
    [
        ('tiger cat', 1),
        ('tabby', 0),
        ('Tabby Cat', 0),
        ('tabby, tabby cat', 0),
        ('great dane', 3),
        ('fox', 9),
        # Digits are a name if there is one, else a number.
        ('2', 6),
        ('3', 3),
        (5, 5),
    ],
)
def test_a_name_gives_its_number(model, label, number):
    assert class_number(model, label) == number


@pytest.mark.parametrize(
    'label, message',
    [
        ('tabbi', "label='tabbi' is unknown, did you mean 'tabby'"),
        ('dane', "unknown, did you mean 'great dane'"),
        ('crane', 'is the name of the classes 2 and 4: give a number'),
        ('zzzz', 'expected 0 to 9, or a name, such as tabby, tabby cat, tig'),
    ],
)
def test_an_unknown_name_is_refused_with_similar_ones(model, label, message):
    with pytest.raises(ValueError, match=message):
        class_number(model, label)


def test_names_are_taken_wherever_a_number_is(model):
    generate = LatentDiffusionInferencer(model)
    named = generate(
        label=['fox', 'tabby'],
        negative='red fox',
        guidance_scale=3,
        return_datasamples=True,
    )
    assert [sample.label for sample in named] == [9, 0]
    assert [sample.negative.label for sample in named] == [8, 8]
    assert generate.classes == tuple(NAMES)


def test_imagenet_is_known_by_words_and_synsets(tiny_ldm):
    embedder = dict(type='ClassEmbedder', num_classes=1000, embed_dim=8)
    synsets = [f'n{number:08d}' for number in range(1000)]
    for names in ('imagenet', synsets):
        model = tiny_ldm(
            conditioner=dict(embedders=[embedder], class_names=names)
        )
        assert class_number(model, 'tabby') == 281
        assert class_names(model)[0] == 'tench'
    assert class_number(model, 'n00000281') == 281


def test_a_config_for_other_classes_may_inherit_imagenets_names():
    embedder = dict(type='ClassEmbedder', num_classes=10, embed_dim=8)
    assert Conditioner([embedder], class_names='imagenet').class_names is None


@pytest.mark.parametrize(
    'names, message',
    [
        (['a'], 'class_names has 1 names, but embedders.0.num_classes=10'),
        (['a'] * 9 + [''], 'class_names must be texts'),
        ('coco', "class_names='coco' is not known"),
    ],
)
def test_names_that_do_not_fit_are_refused(names, message):
    embedder = dict(type='ClassEmbedder', num_classes=10, embed_dim=8)
    with pytest.raises(ValueError, match=message):
        Conditioner([embedder], class_names=names)


@pytest.fixture
def checkpoint(tmp_path, ldm_config, tiny_ldm):
    """A training checkpoint, as runners write it, of some classes."""

    def write(classes):
        torch.manual_seed(1)
        weights = tiny_ldm().state_dict()
        cfg = Config(dict(model=ldm_config().to_dict()))
        meta = dict(
            cfg=store_config(cfg.to_dict()),
            dataset_meta=dict(classes=tuple(classes)),
        )
        path = tmp_path / 'work' / 'iter_4.pth'
        path.parent.mkdir(exist_ok=True)
        write_checkpoint(dict(state_dict=weights, meta=meta), path)
        return path

    return write


def test_names_of_the_training_reach_the_model_and_its_publication(
    checkpoint, tmp_path
):
    path = checkpoint(NAMES)
    assert class_names(init_model(path, device='cpu')) == tuple(NAMES)
    assert class_names(init_model(path.parent, device='cpu')) == tuple(NAMES)
    published = publish_model(path, tmp_path / 'published')
    model = init_model(published, device='cpu')
    assert class_number(model, '../x y') == 7


@pytest.mark.parametrize('classes', [(), NAMES[:3], [*NAMES[:9], 7]])
def test_names_that_do_not_suit_are_left_out(checkpoint, classes):
    model = init_model(checkpoint(classes), device='cpu')
    assert class_names(model) == ()
    with pytest.raises(ValueError, match='this model has no names of its cl'):
        class_number(model, 'cat')
