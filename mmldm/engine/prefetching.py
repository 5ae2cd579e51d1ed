"""Batches that are on the device before they are needed."""

from typing import Any

from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from mmengine.registry import FUNCTIONS
from torch import Tensor, nn
from torch.utils.data import default_collate

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


class Upload:
    """Copies the images of batches to the GPU, if there is one.

    Python asks for a batch while the GPU still trains the one before. The
    bytes are copied meanwhile: neither Python nor earlier kernels wait.

    Args:
        model: The editor; it has the device.
    """

    def __init__(self, model: nn.Module) -> None:
        self.side = SideStream(next(model.parameters()).device)

    def __call__(self, batch: dict) -> dict:
        """The batch with its images, if they are stacked, on the GPU."""
        images = batch.get('inputs')
        if self.side.device.type != 'cuda' or not isinstance(images, Tensor):
            return batch
        return {**batch, 'inputs': self.side.join(self.side.upload(images))}
