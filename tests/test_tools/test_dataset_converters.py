"""Downloads become folders that the configs read."""

import io
import json
import tarfile

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

IMAGENET = 'dataset_converters/imagenet'
CELEBAHQ = 'dataset_converters/celebahq'
EMOJI = 'dataset_converters/emoji'


def tar(path, files, mode='w'):
    """Write a tar file of names and contents; return its content."""
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path.read_bytes()


@pytest.fixture
def downloads(tmp_path):
    """Two classes, whose numbers are not in order of their synsets."""
    folder = tmp_path / 'downloads'
    folder.mkdir()
    inner = {
        f'n0{c}.tar': tar(
            tmp_path / 'inner.tar',
            {f'n0{c}_{i}.JPEG': b'%d%d' % (c, i) for i in range(2)},
        )
        for c in (1, 2)
    }
    tar(folder / 'ILSVRC2012_img_train.tar', inner)
    tar(
        folder / 'ILSVRC2012_img_val.tar',
        {f'ILSVRC2012_val_{i:08}.JPEG': b'%d' % i for i in (1, 2, 3)},
    )
    synsets = np.array(
        [(1, 'n02'), (2, 'n01')],
        dtype=[('ILSVRC2012_ID', 'O'), ('WNID', 'O')],
    )
    savemat(tmp_path / 'meta.mat', dict(synsets=synsets))
    tar(
        folder / 'ILSVRC2012_devkit_t12.tar.gz',
        {
            'kit/data/meta.mat': (tmp_path / 'meta.mat').read_bytes(),
            'kit/data/ILSVRC2012_validation_ground_truth.txt': b'1\n2\n1\n',
        },
        'w:gz',
    )
    return folder


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob('*.JPEG')
    }


EXPECTED = {
    'train/n01/n01_0.JPEG': '10',
    'train/n01/n01_1.JPEG': '11',
    'train/n02/n02_0.JPEG': '20',
    'train/n02/n02_1.JPEG': '21',
    'val/n02/ILSVRC2012_val_00000001.JPEG': '1',
    'val/n01/ILSVRC2012_val_00000002.JPEG': '2',
    'val/n02/ILSVRC2012_val_00000003.JPEG': '3',
}


def test_imagenet_gets_a_folder_for_each_class(call_tool, downloads, tmp_path):
    call_tool(IMAGENET, downloads, '--out', tmp_path / 'out')
    assert contents(tmp_path / 'out') == EXPECTED


def test_an_interrupted_run_is_gone_on_with(call_tool, downloads, tmp_path):
    out = tmp_path / 'out'
    call_tool(IMAGENET, downloads, '--out', out)
    (out / 'train/n01/n01_0.JPEG').write_text('kept')
    (out / 'train/n02/.whole').unlink()
    (out / 'train/n02/n02_1.JPEG').unlink()
    (out / 'val/n01/ILSVRC2012_val_00000002.JPEG').unlink()
    call_tool(IMAGENET, downloads, '--out', out)
    assert contents(out) == EXPECTED | {'train/n01/n01_0.JPEG': 'kept'}


def test_training_images_alone_need_no_devkit(call_tool, downloads, tmp_path):
    for name in ('img_val.tar', 'devkit_t12.tar.gz'):
        (downloads / f'ILSVRC2012_{name}').unlink()
    call_tool(IMAGENET, downloads, '--out', tmp_path / 'out')
    assert len(contents(tmp_path / 'out')) == 4


@pytest.mark.parametrize(
    'missing, message',
    [
        (['devkit_t12.tar.gz'], 'has no ILSVRC2012_devkit.*has the classes'),
        (['img_val.tar', 'img_train.tar'], 'has neither ILSVRC2012_img_tr'),
    ],
)
def test_a_missing_download_is_named(
    call_tool, downloads, tmp_path, missing, message
):
    for name in missing:
        (downloads / f'ILSVRC2012_{name}').unlink()
    with pytest.raises(FileNotFoundError, match=message):
        call_tool(IMAGENET, downloads, '--out', tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_a_path_that_leads_out_is_not_followed(call_tool, tmp_path):
    inner = tar(tmp_path / 'inner.tar', {'../../../evil.JPEG': b'x'})
    folder = tmp_path / 'downloads'
    folder.mkdir()
    tar(folder / 'ILSVRC2012_img_train.tar', {'../../n01.tar': inner})
    call_tool(IMAGENET, folder, '--out', tmp_path / 'out')
    assert contents(tmp_path) == {'out/train/n01/evil.JPEG': 'x'}


@pytest.mark.parametrize('shape', [(1, 3, 4, 6), (3, 4, 6)])
def test_arrays_of_celebahq_become_images(call_tool, tmp_path, shape):
    pixels = np.random.randint(0, 256, shape, np.uint8)
    np.save(tmp_path / 'imgHQ00007.npy', pixels)
    for _ in range(2):
        call_tool(CELEBAHQ, tmp_path, '--out', tmp_path / 'out')
        image = np.asarray(Image.open(tmp_path / 'out/imgHQ00007.png'))
        assert np.array_equal(
            image, pixels.reshape(3, 4, 6).transpose(1, 2, 0)
        )


@pytest.mark.parametrize(
    'array, message',
    [
        (np.zeros((3, 4, 6)), r'a.npy is float64 of shape \(3, 4, 6\)'),
        (np.zeros((4, 6, 3), np.uint8), r'of shape \(4, 6, 3\), expected'),
        (np.array([object()]), 'a.npy is not an array'),
    ],
)
def test_an_array_that_is_no_image_is_refused(
    call_tool, tmp_path, array, message
):
    np.save(tmp_path / 'a.npy', array, allow_pickle=True)
    with pytest.raises(ValueError, match=message):
        call_tool(CELEBAHQ, tmp_path, '--out', tmp_path / 'out')


def test_no_arrays_are_refused(call_tool, tmp_path):
    with pytest.raises(FileNotFoundError, match='has no .npy files'):
        call_tool(CELEBAHQ, tmp_path, '--out', tmp_path / 'out')


def test_a_damaged_array_costs_no_other(call_tool, tmp_path, caplog):
    np.save(tmp_path / 'imgHQ0.npy', np.ones((1, 3, 4, 4), np.uint8))
    (tmp_path / 'imgHQ1.npy').write_bytes(b'no array')
    call_tool(CELEBAHQ, tmp_path, '--out', tmp_path / 'out')
    assert [path.name for path in (tmp_path / 'out').iterdir()] == [
        'imgHQ0.png'
    ]


@pytest.mark.parametrize(
    'name', ['img_train.tar', 'img_val.tar', 'devkit_t12.tar.gz']
)
def test_a_damaged_download_is_named(call_tool, downloads, tmp_path, name):
    path = downloads / f'ILSVRC2012_{name}'
    content = path.read_bytes()
    path.write_bytes(content[: min(700, len(content) // 2)])
    with pytest.raises(ValueError, match=f'{name}.* is damaged .*download'):
        call_tool(IMAGENET, downloads, '--out', tmp_path / 'out')


def test_forks_of_macos_in_a_download_are_no_images(
    call_tool, downloads, tmp_path
):
    content = dict.fromkeys(
        ['ILSVRC2012_val_00000001.JPEG', '._ILSVRC2012_val_00000002.JPEG'], b''
    )
    tar(downloads / 'ILSVRC2012_img_val.tar', content)
    call_tool(IMAGENET, downloads, '--out', tmp_path / 'out')
    assert len([*(tmp_path / 'out/val').rglob('*.JPEG')]) == 1


def test_a_validation_image_beyond_the_devkit_is_named(
    call_tool, downloads, tmp_path
):
    content = {'ILSVRC2012_val_00000009.JPEG': b''}
    tar(downloads / 'ILSVRC2012_img_val.tar', content)
    with pytest.raises(ValueError, match='00000009.JPEG, .* images 1 to 3'):
        call_tool(IMAGENET, downloads, '--out', tmp_path / 'out')


def png(*colour):
    content = io.BytesIO()
    Image.new('RGBA', (64, 64), colour).save(content, 'PNG')
    return content.getvalue()


def test_emoji_become_a_folder_of_captions(call_tool, tmp_path, capsys):
    """A half transparent red one on white; one has no picture."""
    entry = dict(image='1f34e.png', category='Food & Drink')
    apple = dict(entry, name='RED APPLE', short_names=['apple', 'red_apple'])
    listed = [
        dict(apple, short_name='apple'),
        dict(apple, short_name='none', image='1.png'),
    ]
    package = tmp_path / 'emoji.tgz'
    files = {
        'package/img/google/64/1f34e.png': png(255, 0, 0, 128),
        'package/img/google/64/1f34e-1f3fb.png': png(0, 0, 0, 255),
        'package/img/google/20/1f34e.png': b'another size',
        'package/emoji.json': json.dumps(listed).encode(),
    }
    tar(package, files, 'w:gz')
    out = tmp_path / 'out'
    call_tool(EMOJI, package, '--out', out)
    (image,) = out.rglob('*.png')
    assert image == out / 'Food & Drink/apple.png'
    pixels = np.asarray(Image.open(image))
    assert (pixels == (255, 127, 127)).all()
    assert image.with_suffix('.txt').read_text() == 'red apple\napple\n'
    said = capsys.readouterr().out
    assert '1 without a picture, and 1 pictures of other skin' in said


@pytest.mark.parametrize(
    'files, message',
    [
        ({'package/emoji.json': b'[]'}, 'has no emoji.json or no img'),
        ({'package/emoji.json': b'['}, 'damaged'),
    ],
)
def test_another_package_is_refused(call_tool, tmp_path, files, message):
    package = tmp_path / 'emoji.tgz'
    tar(package, files, 'w:gz')
    with pytest.raises(ValueError, match=message):
        call_tool(EMOJI, package, '--out', tmp_path / 'out')
