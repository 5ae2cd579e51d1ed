"""Plans of many images: names, batches, resuming and sharing."""

import numpy as np
import pytest
import torch
from PIL import Image

from mmldm.apis import LatentDiffusionInferencer
from mmldm.apis.inference.drawing import write_images
from mmldm.apis.inference.picture_settings import read_settings
from mmldm.apis.inference.plan import Plan
from mmldm.apis.inference.request_files import Row
from mmldm.apis.inference.sample_writer import SampleWriter
from mmldm.apis.processes import Share

ROWS = [
    Row(dict(label=3, seed=5, num=2), 'rows line 1'),
    Row(dict(label=7, seed=5), 'rows line 2'),
    Row(dict(label=3, size=(8, 12)), 'rows line 3'),
]


@pytest.fixture
def draw(tiny_ldm):
    torch.manual_seed(0)
    return LatentDiffusionInferencer(tiny_ldm(image_size=8))


@pytest.fixture
def plan(draw):
    return Plan(draw, ROWS, {})


@pytest.fixture
def write(plan, tmp_path):
    """Writes a plan to a folder in batches of 2."""

    def write(folder, share=None, plan=plan, batches=None):
        writer = SampleWriter(tmp_path / folder, plan, 'model')
        batches = batches or plan.batches(2)
        return write_images(plan, writer, batches, share), writer

    return write


def pixels(folder):
    return {
        path.name: np.asarray(Image.open(path))
        for path in sorted((folder / 'images').iterdir())
    }


@pytest.mark.parametrize(
    'name_by, expected',
    [
        ('index', ['000000', '000001', '000002', '000003']),
        ('seed', ['5_000000', '5_000001', '5_000002', '0_000000']),
        ('label', ['3_000000', '3_000001', '7_000000', '3_000002']),
    ],
)
def test_every_image_has_a_name_of_its_own(draw, name_by, expected):
    plan = Plan(draw, ROWS, {}, name_by=name_by)
    assert len(plan) == 4
    assert [image.name for image in plan.images()] == expected


def test_a_name_is_no_path(draw):
    plan = Plan(draw, ROWS, {}, name_by='label')
    assert plan._start(dict(label='../a b')) == '.._a_b'
    with pytest.raises(ValueError, match='line 9: name_by=label needs a lab'):
        Plan(draw, [Row({}, 'line 9')], {}, name_by='label')


def test_a_row_may_start_at_any_image_of_its_seed(draw, tmp_path):
    rows = [Row(dict(label=3, seed=5, number=7, num=2))]
    plan = Plan(draw, rows, {})
    writer = SampleWriter(tmp_path, plan, 'model')
    write_images(plan, writer, plan.batches(2))
    settings = read_settings(tmp_path / 'images' / '000001.png')
    assert settings['number'] == 8 and 'number' not in settings['arguments']
    expected = draw(label=3, seed=5, number=7, num=2, batch_size=2)
    for found, wanted in zip(pixels(tmp_path).values(), expected, strict=True):
        assert np.array_equal(found, wanted)


def test_images_of_one_size_share_a_batch(plan):
    batches = [[i.index for i in b.images] for b in plan.batches(3)]
    assert batches == [[0, 1, 2], [3]]
    requests, _ = plan.requests(next(plan.batches(3)))
    assert [(r.fields['gt_label'], r.seed, r.number) for r in requests] == [
        *((3, 5, 0), (3, 5, 1), (7, 5, 0))
    ]


@pytest.mark.parametrize(
    'arguments, message',
    [
        (dict(label=[3, 4]), 'line 1: label and prompt of a row must be one'),
        (dict(label=99), 'line 1: label=99 is unknown, expected 0 to 9'),
        (dict(label=3, num=0), 'line 1: num=0 must be a whole number'),
        (dict(prompt='a'), 'line 1: prompt is unknown to this model'),
        (dict(label=3, image='none.png', strength=0.5), 'line 1: image: .*no'),
        (dict(label=3, fields=dict(mask='a')), "line 1: fields.'mask'.: give"),
    ],
)
def test_a_row_that_cannot_be_drawn_is_named(draw, arguments, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        Plan(draw, [Row(arguments, 'rows line 1')], {})


def test_processes_share_the_images_bit_by_bit(write, plan, tmp_path):
    write('one')
    for rank in (0, 1):
        write('two', Share(rank, 2))
    one, two = pixels(tmp_path / 'one'), pixels(tmp_path / 'two')
    assert len(one) == 4 and one.keys() == two.keys()
    for name in one:
        assert np.array_equal(one[name], two[name])
    write('half', Share(1, 2))
    assert [*pixels(tmp_path / 'half')] == ['000002.png']


def test_only_what_is_missing_is_generated(write, draw, tmp_path, monkeypatch):
    """And whole batches, so that it is bit for bit what it was."""
    write('out')
    before, sizes = pixels(tmp_path / 'out'), []
    (tmp_path / 'out/images/000001.png').unlink()
    cut = tmp_path / 'out/images/000003.png'
    cut.write_bytes(cut.read_bytes()[:-9])
    predict = type(draw.model).predict

    def count(self, inputs, samples, wrap=None):
        sizes.append(len(samples))
        return predict(self, inputs, samples, wrap)

    monkeypatch.setattr(type(draw.model), 'predict', count)
    old, _ = write('out')
    assert old == 1 and sizes == [2, 1]
    after = pixels(tmp_path / 'out')
    assert all(np.array_equal(after[name], before[name]) for name in before)
    other = Plan(draw, ROWS, dict(steps=3))
    assert write('out', plan=other)[0] == 0


def test_an_image_again_is_that_image(write, draw, tmp_path):
    """In a batch of the size and place of then."""
    write('out')
    then = read_settings(tmp_path / 'out/images/000001.png')
    assert then['batch'] == dict(size=2, place=1)
    plan = Plan(draw, [Row(then['arguments'])], {})
    _, writer = write('again', plan=plan, batches=[plan.again(then)])
    assert np.array_equal(
        pixels(tmp_path / 'again')['000000.png'],
        pixels(tmp_path / 'out')['000001.png'],
    )
    assert not any('differ' in line for line in writer.finish(then=then))
    then['model']['weights'] = 'other'
    expected = 'as these differ: model.weights'
    assert any(expected in line for line in writer.finish(then=then))


def test_a_picture_to_start_from(draw, tmp_path):
    """The same as ``vary``, in batches of one row."""
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    path = str(tmp_path / 'a.png')
    Image.fromarray(image).save(path)
    row = dict(label=3, image=path, strength=0.5, num=2)
    rows = [Row(row), Row(dict(label=3)), Row(row | dict(strength=1))]
    plan = Plan(draw, rows, dict(steps=4))
    assert [len(b.images) for b in plan.batches(4)] == [2, 1, 2]
    writer = SampleWriter(tmp_path / 'out', plan, 'model')
    write_images(plan, writer, plan.batches(4))
    expected = draw.vary(path, 0.5, label=3, num=2, steps=4)
    found = pixels(tmp_path / 'out')
    for i in (0, 1):
        assert np.array_equal(found[f'00000{i}.png'], expected[i])
    with pytest.raises(ValueError, match=r'size=\(8, 12\) must be one side'):
        Plan(draw, [Row(row | dict(size=(8, 12)))], {})


def test_sheets_hold_images_of_any_size(write, tmp_path):
    _, writer = write('out')
    lines = writer.finish()
    assert lines == [
        f'4 images in {tmp_path}/out/images, all in {tmp_path}/out/grid.png'
    ]
    with Image.open(tmp_path / 'out/grid.png') as grid:
        assert grid.size == (2 * 14 + 2, 2 * 10 + 2)
