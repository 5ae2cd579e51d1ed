import hashlib

import pytest
import torch

from mmldm.utils.weight_files import verify_name, weight_cache


def test_torchs_cache_is_where_weights_are_looked_for(monkeypatch):
    monkeypatch.setattr(torch.hub, '_hub_dir', '/cache')
    assert str(weight_cache()) == '/cache/checkpoints'


@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
def test_a_file_is_what_the_digits_of_its_name_say(tmp_path, suffix):
    digits = hashlib.sha256(b'weights').hexdigest()[:8]
    path = tmp_path / f'net-{digits}.{suffix}'
    path.write_bytes(b'weights')
    verify_name(path, 'net', 'download it')
    path.write_bytes(b'weight')
    match = f'net: the SHA-256 of .* not the {digits} .*download it'
    with pytest.raises(ValueError, match=match):
        verify_name(path, 'net', 'download it')


def test_a_name_without_digits_says_nothing(tmp_path):
    path = tmp_path / 'inception-2015.pth'
    path.write_bytes(b'weights')
    verify_name(path, 'net', 'download it')
