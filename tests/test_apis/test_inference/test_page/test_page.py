"""The components of a page, and what they send to the model."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from mmldm.apis import LatentDiffusionInferencer
from mmldm.apis.inference.page import Limits
from mmldm.registry import MODELS

pytest.importorskip('gradio', reason='the page needs mmldm[app]')

from mmldm.apis.inference.page.page import Page  # noqa: E402

BOXES = json.dumps(dict(boxes=[[3, 0.25, 0, 0.5, 0.5]]))
MAP = json.dumps(dict(size=[16, 16], runs=[2, 100, 5, 156]))
MASK = json.dumps(dict(size=[8, 12], runs=[0, 48, 1, 48]))
VISITOR = SimpleNamespace(session_hash='me')


@pytest.fixture
def page(inferencer):
    pages = []

    def page(kind, **limits):
        pages.append(Page(inferencer(kind), Limits(**limits)))
        return pages[-1]

    yield page
    for made in pages:
        made.studio.close()


@pytest.fixture
def picture(tmp_path):
    array = np.random.default_rng(0).integers(0, 256, (8, 12, 3), np.uint8)
    Image.fromarray(array).save(tmp_path / 'picture.png')
    return str(tmp_path / 'picture.png')


def values(page, **changes):
    """What the controls send, some of them changed."""
    controls = page.controls
    assert {*changes} <= {control.argument for control in controls}
    return tuple(
        changes.get(control.argument, control.component.value)
        for control in controls
    )


def drawn(page, kept=(), **changes):
    """The last update of the page."""
    *_, update = page._draw(VISITOR, [*kept], *values(page, **changes))
    return update


def test_a_page_has_a_control_for_what_its_model_takes(page):
    sampling = ['num', 'seed', 'steps', 'solver']
    size, null = ['height', 'width'], ['guidance_scale', 'negative']
    for kind, conditions, others in (
        ('class', ['label'], [*null, 'unconditional', *size]),
        ('text', ['prompt'], [*null, 'unconditional', *size]),
        ('layout', ['layout'], size),
        ('map', ['map'], size),
        ('hole', ['image', 'mask'], []),
        ('small', ['low_res'], []),
        ('nothing', [], size),
    ):
        made = page(kind)
        assert [c.argument for c in made.conditions] == conditions
        assert [c.argument for c in made.others] == [*sampling, *others]


def test_classes_are_chosen_by_name(page, inferencer):
    generate = inferencer('class')
    names = [f'digit {i}' for i in range(9)]  # the last row is 'no class'
    generate.model.conditioner.class_names = tuple(names)
    made = Page(generate)
    (control,) = made.conditions
    assert control.component.choices[:2] == [('digit 0', 0), ('digit 1', 1)]
    assert control.component.choices[9] == ('9', 9)
    made.studio.close()


def test_a_model_without_a_control_is_refused(ldm_config):
    model = MODELS.build(
        ldm_config(
            conditioner=dict(
                embedders=[dict(type='PrecomputedFeatures', embed_dim=8)]
            )
        )
    )
    with pytest.raises(ValueError, match='reads features, for which a page'):
        Page(LatentDiffusionInferencer(model))


def test_images_are_those_of_a_call_bit_for_bit(page, inferencer, picture):
    mask = np.zeros((8, 12), np.uint8)
    mask[4:] = 1
    classes = np.full(256, 5)
    classes[:100] = 2
    for kind, changes, arguments in (
        ('class', dict(label=3, seed=7), dict(label=3, seed=7)),
        (
            'class',
            dict(label=3, guidance_scale=3, negative=4, solver='Heun'),
            dict(label=3, guidance_scale=3, negative=4, solver='Heun'),
        ),
        ('class', dict(unconditional=True), dict(unconditional=True)),
        ('text', dict(prompt='a red circle'), dict(prompt='a red circle')),
        (
            'layout',
            dict(layout=BOXES, height=16, width=24),
            dict(layout=[(3, (0.25, 0, 0.5, 0.5))], size=(16, 24)),
        ),
        ('map', dict(map=MAP), dict(map=classes.reshape(16, 16))),
        (
            'hole',
            dict(image=picture, mask=MASK),
            dict(image=picture, mask=mask),
        ),
        ('small', dict(low_res=picture), dict(low_res=picture)),
        ('nothing', dict(num=5), dict(num=5)),
    ):
        _, _, kept = drawn(page(kind), **changes)
        arguments = dict(num=4) | arguments
        for (file, _, settings), wanted in zip(
            kept, inferencer(kind)(**arguments), strict=True
        ):
            with Image.open(file) as image:
                assert np.array_equal(image, wanted), kind
                assert json.loads(image.info['mmldm']) == json.loads(
                    json.dumps(settings)
                )
            assert settings['seed'] == arguments.get('seed', 0)


@pytest.mark.parametrize('painted', [False, True])
def test_a_picture_is_varied_or_its_painted_part_filled(
    page, inferencer, picture, painted
):
    changes = dict(label=3, image=picture, strength=0.5)
    generate = inferencer('class')
    # Shorter side 16, as the model's images.
    asked = dict(image=picture, size=16, label=3, num=4)
    if painted:
        changes['mask'] = MASK
        mask = np.zeros((8, 12), np.uint8)
        mask[4:] = 1
        wanted = generate.inpaint(mask=mask, **asked)
    else:
        wanted = generate.vary(strength=0.5, **asked)
    _, _, kept = drawn(page('class'), **changes)
    for (file, *_), image in zip(kept, wanted, strict=True):
        with Image.open(file) as found:
            assert found.size == (24, 16)
            assert np.array_equal(found, image)


def test_newer_images_come_first_and_old_ones_are_let_go(page, monkeypatch):
    made = page('class')
    monkeypatch.setattr('mmldm.apis.inference.page.page.MOST_KEPT', 6)
    _, _, first = drawn(made, label=1)
    _, gallery, both = drawn(made, first, label=2)
    assert [settings['label'] for *_, settings in both] == [2] * 4 + [1] * 2
    assert len(gallery.value) == 6


def test_images_are_deleted_when_they_are_old(page):
    made = page('class')
    _, _, kept = drawn(made, label=1)
    made.shelf.remove_old()
    assert all(image.is_there for image in kept)
    made.shelf.remove_old(age=-1)
    assert not any(image.is_there for image in kept)
    _, gallery, both = drawn(made, kept, label=2)
    assert len(gallery.value) == len(both) == 4


@pytest.mark.parametrize(
    'kind, changes, message',
    [
        ('class', dict(label=99), 'label=99 is unknown'),
        ('class', dict(steps=0), 'steps=0 must be'),
        ('class', dict(steps=float('nan')), 'steps=nan'),
        ('class', dict(num=99), 'num=99 is too much'),
        ('class', dict(num=None, height=5000), 'size=5000 is too much'),
        ('layout', dict(layout='{'), 'layout: the drawing is damaged'),
        ('layout', dict(layout='{"boxes": []}'), 'layout is missing: give'),
        ('hole', dict(), 'image is missing|give image'),
        ('hole', dict(image='/no/where.png'), 'where.png'),
        ('hole', dict(mask=MASK.replace('1, 48', '0, 48')), 'mask is empty'),
    ],
)
def test_wrong_input_is_a_line_and_the_page_lives_on(
    page, kind, changes, message
):
    made = page(kind)
    status, gallery, kept = drawn(made, **changes)
    assert any(part in status for part in message.split('|')), status
    assert 'mmldm-error' in status and '\n' not in status
    if kind == 'class':
        assert '4 images drawn' in drawn(made, label=3)[0]


def test_a_large_picture_is_refused_before_it_is_decoded(page, tmp_path):
    made = page('hole', side=100)
    path = tmp_path / 'large.png'
    Image.new('L', (101, 4)).save(path)
    status, *_ = drawn(made, image=str(path))
    assert 'image has 101x4 pixels, but this page allows' in status


def test_bounds_hold_for_what_is_made_of_a_request(page, tmp_path):
    made = page('class', side=64, steps=1, images=1)
    path = tmp_path / 'narrow.png'
    Image.new('L', (3, 60)).save(path)  # the model's side is 16
    status, *_ = drawn(made, image=str(path), steps=1)
    assert 'scaled for the model, has 16x320 pixels, but this pa' in status
    status, *_ = drawn(made, steps=None)  # then the model's own
    assert 'is too much for this page, which allows 1' in status


def test_no_condition_leaves_guidance_out(page):
    made = page('class')
    sent = values(made, unconditional=True, guidance_scale=3, negative=4)
    assert not {'guidance_scale', 'negative', 'label'} & {
        *made.arguments(sent)
    }


def test_what_users_write_is_no_html(page):
    status, *_ = drawn(page('text'), prompt='<script>alert(1)</script>')
    assert 'mmldm-error' in status and '<script>' not in status
