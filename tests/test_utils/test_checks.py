import pytest

from mmldm.utils.checks import (
    check_choice,
    check_divisible,
    check_positive,
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
