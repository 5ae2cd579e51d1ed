import pytest
from torch import nn

from mmldm.utils import model_size
from mmldm.utils.model_size import bounded_networks


def test_a_network_that_fits_is_built():
    with bounded_networks():
        nn.Sequential(nn.Linear(2, 3), nn.ReLU())


def test_too_many_modules_are_stopped(monkeypatch):
    monkeypatch.setattr(model_size, 'MOST_MODULES', 10)
    told = pytest.raises(ValueError, match='more than 10 modules')
    with told, bounded_networks():
        nn.Sequential(*(nn.ReLU() for _ in range(11)))
    nn.Sequential(*(nn.ReLU() for _ in range(11)))  # no hook stays


def test_more_parameters_than_memory_are_stopped(monkeypatch):
    monkeypatch.setattr(model_size, 'total_memory', lambda: 4 * 100)
    with bounded_networks():
        nn.Linear(9, 10)
    told = pytest.raises(ValueError, match='parameters of the model need')
    with told, bounded_networks():
        nn.Linear(10, 10)
