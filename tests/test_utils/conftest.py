"""Files as Lightning wrote them."""

import argparse
import encodings.cp437  # noqa: F401  as zipfile does at its first file
import pathlib
import sys
import types
from collections import OrderedDict, defaultdict
from datetime import datetime

import numpy as np
import pytest
import torch

from mmldm.utils.lightning_checkpoint import read_compvis_checkpoint

# Of packages that are not there when a file is read.
MODULES = (
    'pytorch_lightning',
    'pytorch_lightning.callbacks',
    'pytorch_lightning.callbacks.model_checkpoint',
    'omegaconf',
    'omegaconf.dictconfig',
    'omegaconf.nodes',
    'main',
)


class Foreign:
    """Classes of packages that are not there, while a file is written."""

    def __enter__(self):
        for name in MODULES:
            sys.modules[name] = types.ModuleType(name)
        return self

    def __exit__(self, *error):
        for name in MODULES:
            del sys.modules[name]

    def make(self, module, name, base=object):
        made = type(name, (base,), dict(__module__=module))
        setattr(sys.modules[module], name, made)
        return made


@pytest.fixture
def foreign():
    """In its ``with`` there are packages to pickle classes of."""
    return Foreign()


@pytest.fixture(params=[False, True], ids=['zip', 'legacy'])
def legacy(request):
    """Whether a file is as of torch before 1.6."""
    return request.param


@pytest.fixture
def write_lightning():
    return _write_lightning


@pytest.fixture
def refusal():
    """The one line that a file is refused with; nothing is imported."""

    def refusal(path):
        modules = dict(sys.modules)
        with pytest.raises(ValueError) as error:
            read_compvis_checkpoint(path)
        assert dict(sys.modules) == modules
        told = str(error.value)
        assert '\n' not in told and str(path) in told
        return told

    return refusal


def _marked(tensor):
    """A tensor with an attribute, of which torch pickles another call."""
    tensor.mark = 1
    return tensor


def _write_lightning(path, weights, legacy=False):
    """The weights, and around them what Lightning 1.4 to 1.9 stored."""
    with Foreign() as foreign:
        callback = foreign.make(
            'pytorch_lightning.callbacks.model_checkpoint', 'ModelCheckpoint'
        )
        node = foreign.make('omegaconf.nodes', 'AnyNode')
        options = foreign.make('omegaconf.dictconfig', 'DictConfig')()
        options.__dict__ = dict(
            _content=dict(lr=node()), _flags=None, _type=dict, _any=node
        )
        attributes = foreign.make('pytorch_lightning', 'AttributeDict', dict)
        image_logger = foreign.make('main', 'ImageLogger')
        momentum = torch.full((5, 7), 3.0)
        content = {
            'epoch': 3,
            'global_step': 1000,
            'pytorch-lightning_version': '1.4.2',
            'state_dict': OrderedDict(weights),
            'callbacks': {
                callback: dict(
                    best_model_score=torch.tensor(0.1),
                    dirpath=pathlib.PurePosixPath('/logs'),
                ),
                image_logger: {np.float64(1): np.arange(3)},
                'plain': image_logger(),
            },
            'optimizer_states': [
                dict(
                    state={0: dict(step=1, exp_avg=momentum)},
                    param_groups=[dict(lr=np.float64(1e-4), params=[0])],
                )
            ],
            'lr_schedulers': [defaultdict(list, a=[1])],
            'hyper_parameters': attributes(
                cfg=options, args=argparse.Namespace(a={1, 2}, b=1j)
            ),
            'dtype': (torch.float32, torch.Size([2]), torch.device('cpu')),
            'random': [np.random.default_rng(0), np.random.RandomState(0)],
            'plain': [bytearray(b'abc'), b'abc', type(None), datetime.now()],
            'tensors': [torch.eye(2).to_sparse(), _marked(torch.ones(1))],
        }
        content['state_dict']._metadata = OrderedDict(a=dict(version=1))
        torch.save(content, path, _use_new_zipfile_serialization=not legacy)
