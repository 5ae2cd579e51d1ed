"""Generate the images of a plan and write them."""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from torch import Tensor

from ..processes import Share
from .denoising import Denoising, is_shown, steps_of, write_denoising
from .plan import Batch, Plan, Wanted
from .progress import ImageBar
from .sample_writer import SampleWriter


def write_images(
    plan: Plan,
    writer: SampleWriter,
    batches: Iterable[Batch],
    share: Share | None = None,
    show_steps: bool = False,
) -> int:
    """Generate every image that is not written yet.

    A batch of which an image is missing is generated whole: its images are
    then the same bits as without an interruption.

    Args:
        plan: The images.
        writer: Where they go.
        batches: All batches.
        share: The part of this process; None for all.
        show_steps: Write the denoising of each image to ``steps``.

    Returns:
        Number of images that were written before.
    """
    share = share or Share()
    steps = steps_of(plan.model)
    watch = Denoising(plan.model) if show_steps else None
    total, old = len(plan), 0
    if share.processes > 1:
        batches = [*islice(batches, share.rank, None, share.processes)]
        total = sum(len(batch.kept) for batch in batches)
    with ImageBar(total, steps, share.rank == 0) as bar:
        for batch in batches:
            kept = [batch.images[i] for i in batch.kept]
            there = all(
                writer.has(image)
                and (watch is None or is_shown(_steps_stem(writer, image)))
                for image in kept
            )
            if there:
                old += len(kept)
            else:
                _draw(plan, writer, batch, bar, watch)
            bar.finished(len(kept), there)
    return old


def _draw(
    plan: Plan,
    writer: SampleWriter,
    batch: Batch,
    bar: ImageBar,
    watch: Denoising | None,
) -> None:
    """Generate a batch and write what is wanted of it."""

    def callback(evaluation: int, z_0: Tensor) -> None:
        bar.step(evaluation, len(batch.kept))
        if watch is not None:
            watch(evaluation, z_0)

    requests, make = plan.requests(batch)
    samples = plan.draw.stream(
        requests, plan.sampling, len(requests), callback, make, batch.exact
    )
    for place, sample in enumerate(samples):
        if watch is not None:
            watch.advance()
        if place not in batch.kept:
            continue
        about = dict(size=len(requests), place=place)
        if batch.exact:
            about['exact'] = True
        image = batch.images[place]
        pixels = writer.write(image, sample, about)
        if watch is not None:
            write_denoising(watch.frames(pixels), _steps_stem(writer, image))


def _steps_stem(writer: SampleWriter, image: Wanted) -> Path:
    """Files of an image's denoising, without extension."""
    return writer.out / 'steps' / image.name
