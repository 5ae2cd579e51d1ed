"""A page in the browser that draws with a model."""

import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from html import escape
from typing import Any

import gradio as gr

from mmldm.models.editors import LatentDiffusion

from ..inferencer import LatentDiffusionInferencer
from . import status
from .conditions import Control, make_conditions, own_size
from .edits import edited, make_edits, read
from .limits import Limits
from .shelf import OLD, Kept, Shelf
from .studio import CANCELLED, Job, Progress, Studio
from .ways import fit_boards, make_numbers, make_ways

BATCH_SIZE = 8  # that of a call on a CPU
SMALL = 128  # pixels; single pixels of such images are to be seen
MOST_KEPT = 48  # images that a page goes on showing
# Seconds between two looks for old files, and their age.
OLD_FILES = (3600, OLD)
# Solvers with more than one evaluation a step.
EVALUATIONS = {'Heun': 2}
EDITS = {'inpaint': 2}  # passes
FONT = ('system-ui', 'sans-serif')  # none is fetched
LARGEST_FILE = '32mb'


class Page:
    """The components of a page, and what they do.

    Args:
        generate: The model.
        limits: Bounds of every request.
        title: Name of the model.
    """

    def __init__(
        self,
        generate: LatentDiffusionInferencer,
        limits: Limits | None = None,
        title: str = 'mmldm',
    ) -> None:
        self.generate = generate
        self.limits = limits or Limits()
        self.studio = Studio(generate, self.limits)
        self.shelf = Shelf()
        small = max(own_size(generate.model)) <= SMALL
        self.look = 'small' if small else 'large'
        with gr.Blocks(
            title=title, analytics_enabled=False, delete_cache=OLD_FILES
        ) as self.blocks:
            gr.HTML(heading(title, generate.model))
            with gr.Row():
                with gr.Column(scale=2, min_width=340):
                    self._make_controls()
                with gr.Column(scale=3, min_width=340):
                    self._make_results()
            self._connect()

    @property
    def controls(self) -> list[Control]:
        """All controls, in the order of their values."""
        return [*self.conditions, *self.others, *self.edits]

    def _make_controls(self) -> None:
        model = self.generate.model
        self.conditions = make_conditions(model, self.limits)
        self.others = make_numbers(self.limits)
        with gr.Row():
            self.start = gr.Button('Draw', variant='primary', elem_id='draw')
            self.stop = gr.Button('Cancel', elem_id='cancel')
        with gr.Accordion('Sampling', open=False):
            self.others += make_ways(model, self.limits)
        fit_boards(self.conditions, self.others)
        self.edits = make_edits(model, self.limits)

    def _make_results(self) -> None:
        self.status = gr.HTML(
            status.line('Choose, and press Draw.'),
            elem_id='status',
            elem_classes=self.look,
        )
        self.gallery = gr.Gallery(
            label='Images',
            show_label=False,
            columns=4,
            height=440,
            object_fit='contain',
            format='png',
            interactive=False,
            elem_id='images',
            elem_classes=self.look,
            buttons=['download', 'fullscreen'],
        )
        self.settings = gr.Code(
            label='Settings of the chosen image',
            language='json',
            interactive=False,
            elem_id='settings',
            visible=False,
        )
        self.kept = gr.State([])

    def _connect(self) -> None:
        components = [c.component for c in self.controls]
        private = dict(api_visibility='private', show_progress='hidden')
        self.start.click(
            self._draw,
            [self.kept, *components],
            [self.status, self.gallery, self.kept],
            concurrency_limit=None,
            **private,
        )
        self.stop.click(self._cancel, queue=False, **private)
        self.gallery.select(
            show_settings, [self.kept], [self.settings], queue=False, **private
        )
        self.blocks.unload(self._cancel)

    def _cancel(self, request: gr.Request) -> None:
        self.studio.cancel(request.session_hash)

    def _draw(
        self, request: gr.Request, kept: list[Kept], *values: Any
    ) -> Iterator[tuple]:
        """Draw what the controls say; update status, gallery and kept."""
        try:
            arguments = self.arguments(values)
            job = self.studio.submit(request.session_hash, arguments)
        except (ValueError, OSError, TypeError) as error:
            yield status.error(str(error)), gr.skip(), gr.skip()
            return
        previews = None
        for news in self.studio.follow(job):
            if news.last:
                yield self._ended(news, kept)
                return
            previews = news.previews or previews
            news = replace(news, previews=previews)
            yield self._going_on(news, job), gr.skip(), gr.skip()

    def _going_on(self, news: Progress, job: Job) -> str:
        scheduler = self.generate.model.diffusion_scheduler
        asked = job.arguments
        solver = asked.get('solver') or type(scheduler.solver).__name__
        steps = asked.get('steps', scheduler.num_steps)
        steps *= EVALUATIONS.get(solver, 1) * EDITS.get(asked.get('edit'), 1)
        if 'strength' in asked:
            steps = max(1, round(steps * asked['strength']))
        return status.progress(news, asked.get('num', 1), BATCH_SIZE, steps)

    def _ended(self, news: Progress, kept: list[Kept]) -> tuple:
        """The last update of a request."""
        if news.error == CANCELLED:
            return status.line('Cancelled.'), gr.skip(), gr.skip()
        if news.images is None:
            return status.error(news.error), gr.skip(), gr.skip()
        self.shelf.remove_old()
        older = [image for image in kept if image.is_there]
        kept = [*map(self.shelf.keep, news.images), *older][:MOST_KEPT]
        count = len(news.images)
        done = f'{count} image{"s"[: count > 1]} drawn.'
        pairs = [(image.path, image.caption) for image in kept]
        gallery = gr.Gallery(pairs, selected_index=None)
        return status.line(done), gallery, kept

    def arguments(self, values: tuple) -> dict[str, Any]:
        """Arguments of the inferencer's call, from values of the controls.

        Raises:
            ValueError: If a value is invalid; names the argument.
        """
        count, last = len(self.conditions), len(values) - len(self.edits)
        arguments = read(self.others, values[count:last])
        sides = arguments.pop('height', None), arguments.pop('width', None)
        if sides != (None, None):
            arguments['size'] = sides
        if arguments.get('unconditional'):
            for name in ('guidance_scale', 'negative'):
                arguments.pop(name, None)
        else:
            arguments.pop('unconditional', None)
            arguments |= read(self.conditions, values[:count])
        changes = read(self.edits, values[last:])
        arguments |= edited(self.generate.model, changes, self.limits)
        given = {name: v for name, v in arguments.items() if v is not None}
        return dict(given, batch_size=BATCH_SIZE)

    def launch(self, host: str, port: int | None) -> str:
        """Serve the page from another thread.

        Args:
            host: Address to listen at; 127.0.0.1 for this machine only.
            port: Port; None for a free one.

        Returns:
            Where the page is.

        Raises:
            OSError: If the port is taken.
        """
        self.blocks.queue(max_size=4 * self.limits.waiting)
        _, url, _ = self.blocks.launch(
            server_name=host,
            server_port=port,
            share=False,
            theme=gr.themes.Default(font=FONT, font_mono=('monospace',)),
            css=status.CSS,
            footer_links=[],
            ssr_mode=False,
            max_file_size=LARGEST_FILE,
            prevent_thread_lock=True,
            quiet=True,
        )
        return url

    def wait(self) -> None:
        """Serve until the process is interrupted."""
        with suppress(KeyboardInterrupt):
            threading.Event().wait()
        self.close()

    def close(self) -> None:
        """End all requests, and the server."""
        self.studio.close()
        self.blocks.close(verbose=False)
        self.shelf.close()


def heading(title: str, model: LatentDiffusion) -> str:
    """Name, size and device of a model, as HTML."""
    height, width = own_size(model)
    count = sum(weight.numel() for weight in model.parameters())
    device = next(model.parameters()).device
    return (
        f'<h1>{escape(title)}</h1><p>{width}x{height} pixels, '
        f'{count / 1e6:.1f} M parameters, on {device}</p>'
    )


def show_settings(event: gr.SelectData, kept: list[Kept]) -> gr.Code:
    """The settings of the image that was chosen."""
    settings = kept[event.index].settings
    return gr.Code(json.dumps(settings, indent=2), visible=True)
