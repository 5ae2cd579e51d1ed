import math

import pytest

from mmldm.utils.checks import (
    check_choice,
    check_count,
    check_divisible,
    check_positive,
    check_range,
    check_share,
    suggest,
)


@pytest.mark.parametrize('value', [0, -1, float('nan')])
def test_what_is_not_positive_is_refused_with_its_value(value):
    with pytest.raises(ValueError, match=f'std={value} must be positive'):
        check_positive('std', value)


def test_positive_numbers_pass():
    check_positive('std', 1e-9)


@pytest.mark.parametrize(
    'value, valid', [(33, 'set width to 32 or 64$'), (31, 'set width to 32$')]
)
def test_an_indivisible_size_is_told_its_neighbours(value, valid):
    with pytest.raises(ValueError, match=valid) as error:
        check_divisible('width', value, 'the factor', 32)
    assert f'width={value}' in str(error.value)
    assert 'the factor=32' in str(error.value)


def test_divisible_sizes_pass():
    check_divisible('width', 64, 'the factor', 32)


def test_an_unknown_choice_gets_the_near_one_and_all():
    with pytest.raises(ValueError) as error:
        check_choice('slot', 'token', ('vector', 'tokens'))
    assert str(error.value) == (
        "slot='token' is not known; did you mean "
        "'tokens'? Valid names: tokens, vector"
    )


def test_a_known_choice_passes():
    check_choice('slot', 'tokens', ('vector', 'tokens'))


def test_what_is_like_nothing_gets_no_suggestion():
    assert suggest('xyz', ['vector']) == '. Valid names: vector'


def test_a_long_list_of_names_is_cut_and_counted():
    message = suggest('name_0007', [f'name{i:04}' for i in range(1000)])
    assert message.endswith('name0038, name0039 and 960 more')
    assert "did you mean 'name0007'" in message


@pytest.mark.parametrize('value', [0, 0.5, 1, 1.0])
def test_a_number_in_range_passes(value):
    check_range('x', value, 0, 1)
    check_range('x', value, 0, math.inf)


@pytest.mark.parametrize(
    'value, high, message',
    [
        (1.1, 1, r'^x=1.1 must be in \[0, 1\]; a hint$'),
        (-1, math.inf, '^x=-1 must be >= 0; a hint$'),
        (math.nan, 1, r'^x=nan must be in \[0, 1\]'),
        (math.inf, math.inf, '^x=inf must be >= 0'),
        ('0.5', 1, r"^x='0.5' must be a number, in \[0, 1\]"),
        (None, 1, '^x=None must be a number'),
        (True, 1, '^x=True must be a number'),
    ],
)
def test_what_is_out_of_range_is_refused(value, high, message):
    with pytest.raises(ValueError, match=message):
        check_range('x', value, 0, high, '; a hint')


@pytest.mark.parametrize(
    'value, high, message',
    [
        (0, 1, r'^x=0 must be in \(0, 1\]; a hint$'),
        (0.6, 0.5, r'^x=0.6 must be in \(0, 0.5\]; a hint$'),
        (math.nan, 1, '^x=nan must be in'),
        (True, 1, '^x=True must be a number, in'),
    ],
)
def test_what_is_no_share_is_refused(value, high, message):
    with pytest.raises(ValueError, match=message):
        check_share('x', value, high, '; a hint')
    check_share('x', high, high)


@pytest.mark.parametrize('value', ['5', None, True])
def test_what_is_no_number_is_not_positive(value):
    with pytest.raises(ValueError, match=f'x={value!r} must be a number, pos'):
        check_positive('x', value)


@pytest.mark.parametrize('value', [0, -1, 1.5, 2.0, '3', None, True])
def test_a_count_is_whole_and_positive(value):
    check_count('x', 1)
    with pytest.raises(
        ValueError, match=f'x={value!r} must be a whole number'
    ):
        check_count('x', value)
