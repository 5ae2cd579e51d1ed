"""One row a key, read and written."""

import pytest

from mmldm.converters.key_table import Key, KeyTable, fixed, ignored
from mmldm.converters.kinds import COUNT, WORD, either, list_of

TABLE = KeyTable(
    Key('width', 'channels', COUNT),
    Key('depth', 'block.depth', either(COUNT, None), None),
    Key('mults', 'mults', list_of(COUNT), (1, 2)),
    Key('act', 'smooth', WORD, 'silu', {'silu': True, 'relu': False}),
    *fixed({'dims': (2, None)}),
    *ignored('path user'),
    remedy='take its file',
)


def test_what_is_written_is_read_again():
    ours = dict(channels=8, block=dict(depth=3), mults=(4,), smooth=False)
    theirs = TABLE.write(ours, 'dims')
    assert theirs == dict(width=8, depth=3, mults=(4,), act='relu', dims=2)
    assert TABLE.read('', theirs).ours == ours


def test_what_is_left_out_has_their_default():
    given = TABLE.read('', dict(width=8, path='x'))
    assert given.ours == dict(
        channels=8, block=dict(depth=None), mults=(1, 2), smooth=True
    )
    assert given == dict(
        width=8, depth=None, mults=(1, 2), act='silu', path='x'
    )


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(width='8'), "^a.width='8' must be a whole .*: take its file"),
        (dict(depth=0), 'a.depth=0 must be a whole number .*, or null: take'),
        (dict(mults=[]), r'a.mults=\[\] must be a list of 1 or more, each a'),
        (dict(act=['silu']), r"a.act=\['silu'\] must be a word"),
        (dict(act='tanh'), "a.act='tanh' has .* only 'silu', 'relu' have"),
        (dict(dims=3), 'a.dims=3 has no counterpart here: only 2, None have'),
        (dict(magic=1), 'a.magic=1 is not known, .*: leave the key out'),
    ],
)
def test_what_has_no_counterpart_is_refused_by_its_key(change, message):
    with pytest.raises(ValueError, match=message):
        TABLE.read('a.', dict(width=8) | change)


def test_a_missing_key_is_named():
    with pytest.raises(ValueError, match='a.width is missing.*take its file'):
        TABLE.read('a.', {})


def test_no_key_has_two_rows():
    with pytest.raises(AssertionError, match='a key has two rows'):
        KeyTable(Key('a', 'x'), *ignored('a'), remedy='')
