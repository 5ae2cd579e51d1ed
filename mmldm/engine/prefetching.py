"""Batches that are on the device before they are needed."""

from collections.abc import Iterator
from typing import Any

from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from mmengine.registry import FUNCTIONS
from torch import Tensor, nn
from torch.utils.data import DataLoader, default_collate

from mmldm.utils.devices import SideStream


@FUNCTIONS.register_module()
def stacked_images(items: list[dict]) -> dict:
    """A batch whose images are one tensor, which is pinned and copied once.

    Images of several sizes stay a list, which the data preprocessor refuses.
    """
    batch = pseudo_collate(items)
    images = batch.get('inputs')
    if images is not None and len({(i.shape, i.dtype) for i in images}) == 1:
        batch['inputs'] = default_collate(images)
    return batch


def pin_batches(loader: dict[str, Any]) -> None:
    """Let a loader's batches be copied to a GPU in the background.

    Args:
        loader: Config of the training's loader; what it states stays.
    """
    if get_device() == 'cuda':
        loader.setdefault('pin_memory', True)
        loader.setdefault('collate_fn', dict(type='stacked_images'))


def on_device(loader: DataLoader, model: nn.Module) -> Iterator[dict]:
    """The batches of a loader, with images on the GPU if there is one.

    The CPU asks for a batch while the GPU still trains the one before. The
    bytes are copied meanwhile: neither the CPU nor earlier kernels wait.

    Args:
        loader: The training's loader.
        model: The editor; it has the device.
    """
    device = next(model.parameters()).device
    if device.type != 'cuda':
        yield from loader
        return
    side = SideStream(device)
    for batch in loader:
        images = batch.get('inputs')
        if isinstance(images, Tensor):
            batch = {**batch, 'inputs': side.join(side.upload(images))}
        yield batch
