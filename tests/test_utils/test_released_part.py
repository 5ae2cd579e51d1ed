"""Frozen parts whose weights leave the memory and come back."""

import os

import pytest
import torch
from torch import nn

from mmldm.utils.checkpoint import read_checkpoint, write_checkpoint
from mmldm.utils.frozen_part import FrozenPart
from mmldm.utils.released_part import release_part, restore_part


class Part(nn.Linear):
    def scaled(self, x):
        return x

    def twice(self, x):
        return 2 * self(x)


class Owner(FrozenPart):
    part, files, entrances = 'linear', ('file',), ('forward', 'twice')

    def __init__(self, file, has_file=True):
        super().__init__()
        self.file = file
        self.linear = Part(3, 2)
        if has_file:
            self.linear.load_state_dict(read_checkpoint(file))
        self.freeze_part(has_file)

    def read_part(self):
        return read_checkpoint(self.file)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / 'part.pth'
    write_checkpoint(Part(3, 2).state_dict(), path)
    return str(path)


@pytest.mark.parametrize('entrance', ['forward', 'twice'])
def test_a_use_brings_the_weights_back(file, entrance):
    owner, x = Owner(file), torch.randn(4, 3)
    parameters = [*owner.parameters()]
    expected = getattr(owner.linear, entrance)(x)
    stored = owner.state_dict()
    assert release_part(owner) == 4 * (6 + 2)
    assert sum(w.nbytes for w in owner.parameters()) == 0
    assert release_part(owner) == 0
    assert owner.linear.scaled(x) is x
    assert sum(w.nbytes for w in owner.parameters()) == 0
    torch.testing.assert_close(owner.state_dict(), stored)
    owner.load_state_dict(stored)
    assert getattr(owner.linear, entrance)(x).equal(expected)
    # The optimizer and DDP know the parameters by identity.
    assert all(
        a is b for a, b in zip(owner.parameters(), parameters, strict=True)
    )
    assert release_part(owner) > 0
    restore_part(owner)
    assert owner.linear(x).equal(Owner(file).linear(x))


def test_they_follow_the_model_to_its_type(file):
    owner = Owner(file)
    release_part(owner)
    owner.double()
    restore_part(owner)
    assert owner.linear.weight.dtype == torch.float64


def test_a_part_in_checkpoints_stays(file):
    owner = Owner(file, has_file=False)
    assert release_part(owner) == 0
    assert owner.linear.weight.shape == (2, 3)


def test_another_file_is_refused(file):
    owner, x = Owner(file), torch.randn(4, 3)
    expected, stored = owner.linear(x), read_checkpoint(file)
    release_part(owner)
    write_checkpoint(Part(3, 2).state_dict(), file)
    for _ in range(2):  # a second use does not get them either
        with pytest.raises(ValueError, match='other weights .*: put the file'):
            owner.linear(x)
    os.remove(file)
    with pytest.raises(FileNotFoundError):
        owner.linear(x)
    write_checkpoint(stored, file)
    assert owner.linear(x).equal(expected)
