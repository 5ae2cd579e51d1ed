"""A frozen part with a file of its own, in a module of two layers."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from mmldm.utils.checkpoint import load_weights, weights_hash
from mmldm.utils.frozen_part import FrozenPart


class Owner(FrozenPart):
    part = 'frozen'

    def __init__(self, has_file, seed=0):
        super().__init__()
        self.head = nn.Linear(2, 2)
        torch.manual_seed(seed)
        self.frozen = nn.Sequential(nn.Linear(2, 2), nn.Dropout())
        self.freeze_part(has_file)

    def other_part(self, wanted):
        return f'{wanted[0]} was wanted'


HEAD = {'head.weight', 'head.bias'}
FROZEN = {'frozen.0.weight', 'frozen.0.bias'}


def test_it_is_frozen_and_in_evaluation():
    owner = Owner(has_file=False)
    assert not any(m.training for m in owner.frozen.modules())
    owner.train()
    assert owner.head.training and owner.head.weight.requires_grad
    assert not any(m.training for m in owner.frozen.modules())
    assert not any(w.requires_grad for w in owner.frozen.parameters())


def test_without_a_file_it_is_stored():
    assert Owner(has_file=False).state_dict().keys() == HEAD | FROZEN


def test_with_a_file_its_hash_is():
    state = Owner(has_file=True).state_dict()
    assert state.keys() == HEAD | {'frozen_hash'}
    weights = Owner(has_file=False).state_dict()
    expected = weights_hash({name: weights[name] for name in FROZEN})
    assert torch.equal(state['frozen_hash'], expected)


def test_a_state_dict_is_completed():
    state, owner = Owner(has_file=True).state_dict(), Owner(has_file=True)
    with torch.no_grad():
        owner.head.weight.zero_()
    load_weights(owner, state, 'the file')
    assert torch.equal(owner.head.weight, state['head.weight'])


@pytest.mark.parametrize('whole', [True, False])
def test_another_one_is_refused_and_stays(whole):
    state = Owner(has_file=not whole, seed=1).state_dict()
    owner = Owner(has_file=True)
    before = owner.frozen[0].weight.clone()
    with pytest.raises(ValueError, match=r'^\d+ was wanted'):
        load_weights(owner, state, 'the file')
    assert torch.equal(owner.frozen[0].weight, before)


def test_a_hash_without_a_file_is_refused():
    state = Owner(has_file=True).state_dict()
    with pytest.raises(ValueError, match='was wanted'):
        load_weights(Owner(has_file=False), state, 'the file')


def test_weights_count_more_than_a_hash():
    whole, digest = Owner(has_file=False), torch.zeros(32, dtype=torch.uint8)
    state = dict(whole.state_dict(), frozen_hash=digest)
    for has_file in (True, False):
        load_weights(Owner(has_file), state, 'the file')


def test_neither_weights_nor_hash_is_no_match():
    state = Owner(has_file=True).state_dict()
    del state['frozen_hash']
    with pytest.raises(ValueError, match='3 not in the file'):
        load_weights(Owner(has_file=True), state, 'the file')


def test_an_included_one_is_stored():
    owner = Owner(has_file=True)
    owner.include_part()
    owner.include_part()  # as it is
    assert owner.state_dict().keys() == HEAD | FROZEN
    load_weights(Owner(has_file=False), owner.state_dict(), 'the file')


def test_a_copy_stores_its_own():
    """As an average is: hooks of the first must not reach into it."""
    owner = Owner(has_file=True)
    copy = deepcopy(owner)
    copy.include_part()
    assert copy.state_dict().keys() == HEAD | FROZEN
    assert owner.state_dict().keys() == HEAD | {'frozen_hash'}
