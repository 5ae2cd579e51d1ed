"""Requests of several visitors, drawn one after the other by one model."""

import logging
import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import torch
from mmengine.logging import print_log
from PIL import Image
from torch import Tensor

from mmldm.models.data_preprocessors.ldm_data_preprocessor import to_images

from ..inferencer import LatentDiffusionInferencer
from .limits import Limits

Pictures = list[Image.Image]
STEPS_PER_PREVIEW = 5
CANCELLED = 'cancelled'
# What a visitor hears if even the report of an error fails.
BROKEN = 'the image could not be drawn: the log of the page says why'
# Seconds between two looks at the place in the line.
PATIENCE = 0.5


class CancelledError(Exception):
    """A visitor wants no images any more."""


@dataclass(frozen=True)
class Progress:
    """News of a request.

    Args:
        ahead: Number of requests before this one.
        evaluations: Evaluations of the network in this batch, until now.
        batch: Number of the batch, from 0.
        previews: Estimates of the images, if there are new ones.
        images: The images, once they are done.
        error: Why there are none, in one line.
    """

    ahead: int = 0
    evaluations: int = 0
    batch: int = 0
    previews: Pictures | None = None
    images: Pictures | None = None
    error: str | None = None

    @property
    def last(self) -> bool:
        """Whether no more news will come."""
        return self.images is not None or self.error is not None


class Studio:
    """One model, one thread that draws with it, and a line before it.

    Args:
        generate: The model.
        limits: Bounds of every request.
    """

    def __init__(
        self, generate: LatentDiffusionInferencer, limits: Limits | None = None
    ) -> None:
        self.generate = generate
        self.limits = limits or Limits()
        self._jobs: list[Job] = []  # the first is drawn, the others wait
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, 'studio')

    def submit(self, visitor: str, arguments: Mapping[str, Any]) -> 'Job':
        """A request's place in the line.

        Args:
            visitor: Who asks; everyone has one request at a time.
            arguments: Those of the inferencer's call, or of the method that
                ``edit`` names.

        Raises:
            ValueError: If a bound is exceeded, or the line is too long.
        """
        own = self.generate.model.diffusion_scheduler.num_steps
        self.limits.check(dict(steps=own) | dict(arguments))
        with self._lock:
            if any(job.visitor == visitor for job in self._jobs):
                raise ValueError(
                    'a request of this page is being drawn already: wait '
                    'for it, or cancel it'
                )
            if len(self._jobs) > self.limits.waiting:
                waiting = len(self._jobs) - 1
                count = (
                    '1 request is'
                    if waiting == 1
                    else (f'{waiting} requests are')
                )
                raise ValueError(
                    f'the model is busy, and {count} waiting: try again in a '
                    'moment'
                )
            job = Job(self.generate, visitor, arguments)
            self._jobs.append(job)
        self._thread.submit(self._draw, job)
        return job

    def follow(self, job: 'Job') -> Iterator[Progress]:
        """News of a request until its end; whoever stops cancels it.

        Old news is left out if there is newer.
        """
        try:
            news = Progress()
            while not news.last:
                try:
                    news = job.newest(PATIENCE)
                except queue.Empty:
                    if job.started:
                        continue
                    news = Progress(ahead=self._ahead(job))
                yield news
        finally:
            self._give_up(job)

    def cancel(self, visitor: str) -> None:
        """End the request of a visitor, if there is one."""
        for job in [*self._jobs]:
            if job.visitor == visitor:
                self._give_up(job)

    def close(self) -> None:
        """End all requests, and the thread."""
        for job in [*self._jobs]:
            self._give_up(job)
        self._thread.shutdown()

    def _ahead(self, job: 'Job') -> int:
        """Number of requests before this one."""
        with self._lock:
            return self._jobs.index(job) if job in self._jobs else 0

    def _give_up(self, job: 'Job') -> None:
        """Take a request out of the line, or end it at its next step."""
        job.cancelled.set()
        with self._lock:
            if job in self._jobs and not job.started:
                self._jobs.remove(job)
                job.news.put(Progress(error=CANCELLED))

    def _draw(self, job: 'Job') -> None:
        with self._lock:
            if job not in self._jobs:
                return
            job.started = True
        news = Progress(error=BROKEN)
        try:
            news = job.run()
        finally:  # else the visitor would wait for ever, and all others
            with self._lock:
                self._jobs.remove(job)
            job.news.put(news)


class Job:
    """One request.

    Args:
        generate: The model.
        visitor: Who asks.
        arguments: See :meth:`Studio.submit`.
    """

    def __init__(
        self,
        generate: LatentDiffusionInferencer,
        visitor: str,
        arguments: Mapping[str, Any],
    ) -> None:
        self.generate = generate
        self.visitor = visitor
        self.arguments = arguments
        self.news: queue.SimpleQueue[Progress] = queue.SimpleQueue()
        self.cancelled = threading.Event()
        self.started = False
        self._batch = -1

    def run(self) -> Progress:
        """Draw; the last news."""
        try:
            arguments = dict(self.arguments)
            edit = arguments.pop('edit', None)
            call = getattr(self.generate, edit) if edit else self.generate
            images = call(callback=self._step, **arguments)
        except CancelledError:
            return Progress(error=CANCELLED)
        except Exception as error:  # the page lives on
            text = ' '.join(str(error).split())
            if not isinstance(error, ValueError | OSError):
                text = f'{type(error).__name__} while drawing: {text}'
                print_log(text, 'current', logging.ERROR)
            return Progress(error=text)
        return Progress(images=images)

    def newest(self, timeout: float) -> Progress:
        """The newest news, with the newest previews.

        Raises:
            queue.Empty: If there is none within ``timeout`` seconds.
        """
        news = self.news.get(timeout=timeout)
        while not (news.last or self.news.empty()):
            newer = self.news.get()
            news = replace(newer, previews=newer.previews or news.previews)
        return news

    def _step(self, count: int, z_0: Tensor) -> None:
        """Called after every evaluation of the network."""
        if self.cancelled.is_set():
            raise CancelledError
        if count == 1:
            self._batch += 1
        previews = None
        if count % STEPS_PER_PREVIEW == 1:
            previews = preview(self.generate.model.autoencoder.decode, z_0)
        self.news.put(Progress(0, count, self._batch, previews))


@torch.no_grad()
def preview(decode: Callable[[Tensor], Tensor], z_0: Tensor) -> Pictures:
    """Pictures of estimated latents.

    Args:
        decode: The first stage's decoder.
        z_0: Estimates, (B, C, h, w).
    """
    images = to_images(decode(z_0)).permute(0, 2, 3, 1).cpu().numpy()
    return [Image.fromarray(image) for image in images]
