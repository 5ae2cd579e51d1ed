import pytest
import torch

from mmldm.utils.hub import from_hub


def test_a_trial_without_memory_asks_no_hub(monkeypatch):
    def ask():
        raise AssertionError('the hub was asked')

    def load(source, **kwargs):
        raise RuntimeError('no memory')

    monkeypatch.setattr('huggingface_hub.utils.get_session', ask)
    with pytest.raises(AssertionError, match='was asked'):
        from_hub(load, 'organisation/name')
    with torch.device('meta'), pytest.raises(RuntimeError, match='no memory'):
        from_hub(load, 'organisation/name')
