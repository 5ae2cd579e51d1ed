"""A test that generates images, and goes on after an interruption."""

import contextlib
import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.dist import (
    all_reduce,
    broadcast_object_list,
    get_dist_info,
)
from mmengine.runner import TestLoop, autocast
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mmldm import __version__
from mmldm.diffusion import Sampling
from mmldm.registry import LOOPS
from mmldm.utils.checkpoint import weights_hash
from mmldm.utils.distributed import wait_for_all
from mmldm.utils.image_archive import write_archive
from mmldm.utils.image_store import ImageStore, image_path
from mmldm.utils.same_rounding import same_rounding
from mmldm.utils.typing import ConfigType

from .data_digest import data_digest
from .progress import Progress

# Images that a CPU generates at a time, whatever the batch size is: rounding
# depends on it. More are hardly faster there.
GROUP = 8
# Beginning of the names of folders with the images of unfinished tests.
UNFINISHED = 'unfinished_test_'


@LOOPS.register_module()
class GenerationLoop(TestLoop):
    """Generates the images of ``test_dataloader``, then evaluates them.

    Each image is written to a file as soon as it is generated. A test that
    was interrupted, and is started again by the same command with any number
    of processes, checks these files and generates the rest. The images are
    then evaluated from their files, in the same order whether or not there
    was an interruption. ``show_dir`` of ``ImageGridHook`` keeps them, see
    :func:`image_path`; without it they are kept in the work directory until
    the test is finished.

    On a CPU, images are generated in groups of eight by one thread in each
    process, and therefore have the same bits for any batch size and number of
    processes. On a GPU, an image's rounding depends on the batch size of
    ``test_dataloader``, but not on processes or interruptions.

    Args:
        runner: The runner, whose model is a latent diffusion model.
        dataloader: Data loader of the requests.
        evaluator: The metrics.
        fp16: Whether to generate with autocast to float16.
        npz: Path of a file to write all images and labels to, see
            :func:`write_archive`; None for no file.
        same_everywhere: Whether to use small groups and one thread on a CPU.
            False uses the batch size and all threads.
        sampling: Arguments of :meth:`Sampling.of`, such as the steps of a
            paper's table; None samples as the model does.

    Raises:
        ValueError: If the sampling does not suit the model.
    """

    def __init__(
        self,
        runner,
        dataloader: DataLoader | dict,
        evaluator,
        fp16: bool = False,
        npz: str | None = None,
        same_everywhere: bool = True,
        sampling: ConfigType | None = None,
    ) -> None:
        super().__init__(runner, dataloader, evaluator, fp16)
        self.sampling = Sampling.of(**sampling or {})
        self.model = runner.bare_model.sampling_by(self.sampling)
        self.npz = npz
        self.same_everywhere = same_everywhere
        self.store: ImageStore | None = None

    @property
    def device(self) -> torch.device:
        """The model's device."""
        return next(self.runner.bare_model.parameters()).device

    @property
    def total_length(self) -> int:
        """Number of batches, as mmagic's timer reads it."""
        return len(self.dataloader)

    @property
    def exact(self) -> bool:
        """Whether images are the same for any batch size."""
        return self.same_everywhere and self.device.type == 'cpu'

    @property
    def group_size(self) -> int:
        """Number of images that are generated at a time."""
        return GROUP if self.exact else self.dataloader.batch_size

    def run(self) -> dict:
        """Generate and evaluate; return the metrics."""
        self.runner.call_hook('before_test')
        self.runner.call_hook('before_test_epoch')
        self.runner.model.eval()
        self.store = self._open_store()
        self._generate()
        wait_for_all('generated')
        for number, batch in enumerate(self.dataloader):
            self.run_iter(number, batch)
        if self.npz is not None and self.runner.rank == 0:
            self._write_archive()
        wait_for_all('evaluated')
        metrics = self.evaluator.evaluate(len(self.dataloader.dataset))
        self.runner.call_hook('after_test_epoch', metrics=metrics)
        self.runner.call_hook('after_test')
        return metrics

    @torch.no_grad()
    def run_iter(self, idx: int, data_batch: dict) -> None:
        """Evaluate a batch of images that have been generated."""
        position = dict(batch_idx=idx, data_batch=data_batch)
        self.runner.call_hook('before_test_iter', **position)
        samples = data_batch['data_samples']
        for sample in samples:
            sample.pred_img = self._generated(sample.sample_idx)
        self.evaluator.process(data_samples=samples, data_batch=data_batch)
        self.runner.call_hook('after_test_iter', **position, outputs=samples)

    def forget_images(self) -> None:
        """Delete the images of a finished test, unless they are wanted."""
        if self.show_dir is None and self.runner.rank == 0:
            shutil.rmtree(self.store.folder, ignore_errors=True)

    def _open_store(self) -> ImageStore:
        # One process digests for all: they must never disagree.
        digest = [self._digest() if self.runner.rank == 0 else None]
        wait_for_all('digest')
        broadcast_object_list(digest)
        run = digest[0]
        unfinished = Path(self.runner.work_dir, f'{UNFINISHED}{run}')
        return ImageStore(self.show_dir or unfinished, run)

    @property
    def show_dir(self) -> str | None:
        """The folder in which a hook shows images; None without one."""
        folders = (
            getattr(hook, 'show_dir', None) for hook in self.runner.hooks
        )
        return next(filter(None, folders), None)

    def _digest(self) -> str:
        """A digest of everything that the images depend on."""
        model = self.runner.bare_model
        # The guide is no submodule.
        guide = getattr(model, 'guide', None)
        facts = dict(
            model=self.runner.cfg.model,
            sampling=self.sampling.settings,
            weights=_hash(model),
            guide=None if guide is None else _hash(guide),
            data=self.runner.cfg.test_dataloader.dataset,
            entries=data_digest(self.dataloader.dataset),
            at_a_time=self.group_size,
            one_thread=self.exact,
            fp16=self.fp16,
            device=self.device.type,
            versions=(__version__, torch.__version__),
        )
        text = json.dumps(facts, default=str, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def _generate(self) -> None:
        """Generate this process's missing images."""
        rank, world = get_dist_info()
        total = len(self.dataloader.dataset)
        starts = range(0, total, self.group_size)
        groups = [
            range(start, min(start + self.group_size, total))
            for start in starts[rank::world]
        ]
        missing = [g for g in groups if not all(map(self.store.has, g))]
        here = total - self._sum(sum(map(len, missing)))
        if here:
            self.runner.logger.info(
                f'{here} of {total} images are in {self.store.folder}; the '
                'test goes on with them'
            )
        progress = Progress(self.runner, sum(map(len, missing)))
        for group, batch in zip(missing, self._loader(missing), strict=True):
            for number, sample in zip(group, self._draw(batch), strict=True):
                self.store.write(number, _array(sample.pred_img))
            progress.add(len(group))

    @staticmethod
    def _sum(count: int) -> int:
        """The sum over all processes."""
        wait_for_all('counted')
        total = torch.tensor(count)
        all_reduce(total)
        return int(total)

    def _loader(self, groups: Sequence[Sequence[int]]) -> DataLoader:
        """A data loader whose batches are groups of requests."""
        workers = self.dataloader.num_workers if groups else 0
        return DataLoader(
            self.dataloader.dataset,
            batch_sampler=groups,
            num_workers=workers,
            collate_fn=self.dataloader.collate_fn,
            worker_init_fn=self.dataloader.worker_init_fn,
        )

    @torch.no_grad()
    def _draw(self, batch: dict) -> Sequence:
        """The data samples of a batch, with generated images."""
        rounding = contextlib.nullcontext()
        if self.exact:
            rounding = same_rounding(self.device)
        with rounding, autocast(enabled=self.fp16):
            return self.model.test_step(batch)

    def _generated(self, number: int) -> Tensor:
        """An image that was generated, uint8 (3, H, W).

        Raises:
            OSError: If the file is missing.
        """
        image = self.store.read(number)
        if image is None:
            raise OSError(
                f'{image_path(self.store.folder, number)} is missing or '
                'damaged: put --work-dir or --show-dir on a disk that all '
                'machines share, and start the same command again'
            )
        return torch.from_numpy(image).permute(2, 0, 1).to(self.device)

    def _write_archive(self) -> None:
        dataset = self.dataloader.dataset
        images = (
            self._generated(i).permute(1, 2, 0).cpu().numpy()
            for i in range(len(dataset))
        )
        samples = (dataset[i]['data_samples'] for i in range(len(dataset)))
        labels = [s.label for s in samples if 'gt_label' in s]
        write_archive(self.npz, images, len(dataset), labels or None)
        self.runner.logger.info(f'All images are in {self.npz}')


def _hash(network: nn.Module) -> list[int]:
    """Hash of all parameters and buffers."""
    tensors = dict(network.named_parameters()) | dict(network.named_buffers())
    return weights_hash(tensors).tolist()


def _array(image: Tensor) -> np.ndarray:
    """uint8 tensor (3, H, W) -> uint8 array (H, W, 3)."""
    return image.permute(1, 2, 0).cpu().numpy()
