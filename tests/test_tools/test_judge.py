"""Folders and files of images against others and against statistics."""

import json

import numpy as np
import pytest
import torch

from mmldm.visualization import write_image

SMALL = ('--features', 'EfficientNetLiteFeatures', '--side', '32')
FD = 'efficientnet_lite0/fd'
CONFIG = """
train_dataloader = dict(
    dataset=dict(
        type='ImageFolder', data_root={root!r}, size=16,
        pipeline=[
            dict(type='LoadImage'), dict(type='ResizeShorterSide', size=16),
            dict(type='PackInputs'),
        ],
    )
)
"""


def pictures(count, brightness=0):
    noise = np.random.default_rng(brightness).integers(0, 100, (count, 16, 16))
    colours = np.stack([noise, noise // 2, noise // 4 + brightness], -1)
    return colours.astype(np.uint8)


@pytest.fixture
def folders(tmp_path):
    """Two folders of pictures, of which the second ones are bluer."""
    for name, brightness in (('a', 0), ('b', 150)):
        for i, image in enumerate(pictures(9, brightness)):
            write_image(image, tmp_path / name / f'{i}.png')
    return tmp_path / 'a', tmp_path / 'b'


@pytest.fixture
def judge(call_tool, tmp_path):
    """Runs the tool; what it wrote."""

    def judge(images, reference, *flags):
        out = tmp_path / 'judged.json'
        call_tool('judge', images, reference, *SMALL, '--out', out, *flags)
        return json.loads(out.read_text())

    return judge


def test_equal_sets_have_no_distance_and_bluer_ones_have(folders, judge):
    assert judge(folders[0], folders[0])['metrics'][FD] < 1e-6
    found = judge(*folders, '--metrics', 'fd', 'kid', 'is')
    assert found['metrics'][FD] > 1
    assert {'efficientnet_lite0/kid', 'efficientnet_lite0/is'} < set(
        found['metrics']
    )
    assert found['protocol']['side'] == 32
    assert '9 images have no full covariance' in found['caution']


def test_an_array_is_what_its_images_are_as_files(folders, judge, tmp_path):
    np.savez(tmp_path / 'a.npz', pictures(9, 0))
    assert judge(tmp_path / 'a.npz', folders[0])['metrics'][FD] < 1e-6
    found = judge(tmp_path / 'a.npz', folders[1])
    assert found['metrics'] == judge(*folders)['metrics']


def test_a_damaged_file_and_other_sizes_are_no_obstacle(folders, judge):
    (folders[0] / 'damaged.png').write_bytes(b'x')
    write_image(np.zeros((20, 30, 3), np.uint8), folders[0] / 'wide.png')
    found = judge(*folders)
    assert found['generated']['num_images'] == 10


@pytest.mark.parametrize(
    'content, message',
    [
        (dict(arr_0=np.zeros((2, 8, 8))), 'float64 .2, 8, 8., expected uint8'),
        (dict(images=np.zeros(3)), 'holds no images'),
        (None, 'is not an .npz file'),
    ],
)
def test_a_file_without_images_is_refused(
    folders, judge, tmp_path, content, message
):
    path = tmp_path / 'wrong.npz'
    if content is None:
        path.write_text('x')
    else:
        np.savez(path, **content)
    with pytest.raises(ValueError, match=f'wrong.npz.*{message}'):
        judge(path, folders[0])
    with pytest.raises(FileNotFoundError, match='nowhere does not exist'):
        judge(tmp_path / 'nowhere', folders[0])


def test_inception_has_one_side(call_tool, folders):
    flags = ('--features', 'InceptionFeatures', '--side', '128')
    with pytest.raises(ValueError, match='--side 128 is not .*: omit it'):
        call_tool('judge', *folders, *flags)


@pytest.fixture
def statistics(folders, call_tool, tmp_path):
    """Those of the second folder, through the pipeline of a config."""
    config, path = tmp_path / 'config.py', tmp_path / 'real.safetensors'
    config.write_text(CONFIG.format(root=str(folders[1])))
    call_tool('prepare_reference_stats', config, path, '--keep', 6, *SMALL)
    return path


def test_statistics_of_a_training_are_a_reference(folders, judge, statistics):
    """The pipeline leaves images of its own size as they are."""
    found = judge(folders[0], statistics)
    wanted = judge(*folders)
    assert found['metrics'] == wanted['metrics']
    data = found['protocol']['reference']
    assert data['num_images'] == 9
    assert data['dataset'] == 'ImageFolder'
    assert [t['type'] for t in data['transforms']][1] == 'ResizeShorterSide'


def test_statistics_of_another_protocol_are_refused(
    folders, call_tool, statistics
):
    with pytest.raises(ValueError, match='side=64, the reference has side=32'):
        call_tool('judge', folders[0], statistics, *SMALL[:-1], '64')


def test_only_the_features_of_some_images_are_kept(statistics):
    from mmldm.evaluation.reference_statistics import load_statistics

    loaded = load_statistics(statistics)
    assert len(loaded) == 9
    assert loaded.features.shape == (6, 1280)
    assert torch.isfinite(loaded.features).all()


def test_a_side_without_a_network_is_refused(folders, call_tool):
    with pytest.raises(ValueError, match='--side .*give both'):
        call_tool('judge', *folders, '--side', '64')


def test_the_benchmark_compares_distortions_with_chance(call_tool, capsys):
    call_tool('benchmarks/judges', *SMALL, '--num', '12', '--seeds', '2')
    table = capsys.readouterr().out
    assert '| half of the photographs |' in table
    assert table.count('\n|') == 8
