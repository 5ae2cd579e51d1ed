"""Places in which nested values differ."""

from mmldm.utils.nested import unequal


def test_places_are_named_with_both_values():
    one = dict(a=1, b=dict(c=[1], d=2), e=dict(f=1))
    other = dict(g=3, a=1, b=dict(c=[2], d=2), e=4)
    assert [*unequal(one, other)] == [
        ('b.c', [1], [2]),
        ('e', dict(f=1), 4),
        ('g', None, 3),
    ]
    assert not [*unequal(one, one)]
