import io
import json
import tarfile
from itertools import islice

import numpy as np
import pytest
from PIL import Image

from mmldm.datasets import AddressedSampler, ImageShards
from mmldm.datasets.transforms import LoadImage


def png(level):
    file = io.BytesIO()
    Image.new('RGB', (4, 2), (level, 0, 0)).save(file, 'PNG')
    return file.getvalue()


def write(path, **files):
    """A tar file; of names, '__' is a dot."""
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, 'w') as shard:
        for name, content in files.items():
            if isinstance(content, str):
                content = content.encode()
            member = tarfile.TarInfo(name.replace('__', '.'))
            member.size = len(content)
            shard.addfile(member, io.BytesIO(content))
    return path


def load(folder, **kwargs):
    # Serializing collects garbage: half a second a dataset.
    return ImageShards(
        str(folder), pipeline=[LoadImage()], serialize_data=False, **kwargs
    )


@pytest.fixture
def shards(tmp_path):
    write(
        tmp_path / '0.tar',
        a__png=png(1),
        a__txt='one',
        b__txt=' two\n',
        b__md5='x',
        b__PNG=png(2),
    )
    write(tmp_path / 'disk/1.tar', a__png=png(3), a__txt='three')
    return tmp_path


def test_samples_of_all_shards_have_their_own_files(shards):
    samples = list(load(shards))
    assert [s['img'][0, 0, 0] for s in samples] == [1, 2, 3]
    assert [s['captions'] for s in samples] == [['one'], ['two'], ['three']]
    assert [s['img_path'] for s in samples] == [
        str(shards / name) for name in ('0.tar/a', '0.tar/b', 'disk/1.tar/a')
    ]


def test_classes_and_captions_of_json(tmp_path):
    for i in range(3):
        captions = ['x', 'y'] if i else 'z'
        write(
            tmp_path / f'{i}.tar',
            a__jpg=png(i),
            a__cls=f'{i + 5}\n',
            a__json=json.dumps(dict(text=captions)),
            a__txt='other',
        )
    samples = list(load(tmp_path, caption_key='text'))
    assert [s['gt_label'] for s in samples] == [5, 6, 7]
    assert [s['captions'] for s in samples] == [['z'], ['x', 'y'], ['x', 'y']]


def test_without_texts_there_are_none(tmp_path):
    write(tmp_path / '0.tar', a__png=png(1))
    assert not {'captions', 'gt_label'} & load(tmp_path)[0].keys()


def test_a_resumed_run_goes_on_where_it_stopped(shards):
    dataset = load(shards)
    levels = []
    for start in (0, 4):
        sampler = AddressedSampler(dataset, seed=0)
        sampler.start = start
        levels.append(
            [
                dataset[index]['img'][0, 0, 0]
                for index in islice(sampler, 10 - start)
            ]
        )
    assert levels[0][4:] == levels[1]


def test_train_and_val_share_the_samples(tmp_path):
    write(tmp_path / '0.tar', **{f'{i:03}__png': png(i) for i in range(100)})
    parts = [
        {int(s['img'][0, 0, 0]) for s in load(tmp_path, split=split)}
        for split in ('train', 'val')
    ]
    assert sorted(parts[0] | parts[1]) == list(range(100))
    assert not parts[0] & parts[1]
    assert 0 < len(parts[1]) < 15


def test_no_shards_are_refused(tmp_path):
    with pytest.raises(ValueError, match='has no tar files'):
        load(tmp_path)


@pytest.mark.parametrize(
    'files, message',
    [
        (dict(a__md5='x'), '1 tar files below .* hold no images'),
        (dict(a__png=png(1), b__txt='x'), r'b in .*0.tar has no image'),
        (
            dict(a__png=png(1), a__txt='x', b__png=png(1)),
            '0.tar/b has no .txt, which .*0.tar/a has',
        ),
        (
            dict(a__png=png(1), b__png=png(1), b__txt='x'),
            '0.tar/a has no .txt, which .*0.tar/b has',
        ),
        (
            dict(a__png=png(1), a__jpg=png(2)),
            'has a.jpg, but a has its image already',
        ),
    ],
)
def test_a_sample_that_lacks_something_is_named(tmp_path, files, message):
    write(tmp_path / '0.tar', **files)
    with pytest.raises(ValueError, match=message):
        load(tmp_path, strict=True)


@pytest.mark.parametrize(
    'files, options, message',
    [
        (dict(a__txt=' '), {}, "0.tar/a has the caption ' '"),
        (
            dict(a__txt=b'\xe9'),
            {},
            '.txt of .*0.tar/a is not a text in UTF-8',
        ),
        (
            dict(a__json='{"text": null}'),
            dict(caption_key='text'),
            '0.tar/a has the caption None',
        ),
        (dict(a__cls='cat'), {}, "the .cls of .*0.tar/a is b'cat'"),
        (
            dict(a__json='{"x": 1}'),
            dict(caption_key='text'),
            "0.tar/a has no 'text'",
        ),
        (
            dict(a__json='{'),
            dict(caption_key='text'),
            'the .json of .*a is invalid JSON',
        ),
        (dict(), dict(caption_key='text'), '0.tar/a has no .json'),
    ],
)
def test_a_broken_text_is_named(tmp_path, files, options, message):
    write(tmp_path / '0.tar', a__png=png(1), **files)
    with pytest.raises(ValueError, match=message):
        load(tmp_path, **options)[0]


@pytest.mark.parametrize(
    'content, cause',
    [(png(1)[:20], 'Truncated'), (b'hello', 'not an image of a known kind')],
)
def test_a_broken_image_is_named(tmp_path, content, cause):
    write(tmp_path / '0.tar', a__png=content)
    with pytest.raises(ValueError, match=f'0.tar/a .*{cause}'):
        load(tmp_path)[0]


@pytest.mark.parametrize('keep', [0.0, 0.2, 0.6])
def test_a_shard_cut_off_is_refused_by_name(tmp_path, keep):
    noise = np.random.randint(0, 256, (64, 64, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, 'PNG')
    path = write(tmp_path / '0.tar', a__png=file.getvalue())
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(ValueError, match='0.tar is damaged .*download them'):
        load(tmp_path, strict=True)


def test_a_shard_cut_off_between_two_files_is_refused(tmp_path):
    """As tarfile itself does not notice."""
    path = write(tmp_path / '0.tar', a__png=png(1), b__png=png(2))
    with tarfile.open(path) as shard:
        second = shard.getmember('b.png').offset
    path.write_bytes(path.read_bytes()[:second])
    with pytest.raises(ValueError, match='0.tar is damaged .no end mark'):
        load(tmp_path, strict=True)


def test_a_file_that_is_twice_in_a_shard_is_refused(tmp_path):
    path = write(tmp_path / '0.tar', a__png=png(1))
    with tarfile.open(path, 'a') as shard:
        shard.addfile(tarfile.TarInfo('a.png'))
    with pytest.raises(ValueError, match='0.tar has a.png, but a has its ima'):
        load(tmp_path, strict=True)
