"""The controls of a page that say how images are sampled."""

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from mmldm.diffusion import ClassifierFreeGuidance, NoGuidance
from mmldm.diffusion.solvers import Solver
from mmldm.models.editors import LatentDiffusion
from mmldm.registry import DIFFUSION_SCHEDULERS

from .board import canvas
from .conditions import Control, class_names, own_size
from .limits import LONGEST_PROMPT, Limits

MOST_GUIDANCE = 20
MOST_SEED = 2**32 - 1
# Fields that set the size of the images.
WITH_SIZE = ('gt_img', 'img_lq')


def make_numbers(limits: Limits) -> list[Control]:
    """How many images, and their seed."""
    with gr.Row():
        most = limits.images
        num = counter(most, min(4, most), label='Images', elem_id='num')
        seed = gr.Number(0, label='Seed', precision=0, elem_id='seed')
    return [Control('num', num, whole('num')), Control('seed', seed)]


def counter(most: int, value: int, **more: Any) -> Any:
    """A slider from 1 to ``most``, or a 1 where there is no choice."""
    if most == 1:  # a slider has two ends
        return gr.Number(1, precision=0, interactive=False, **more)
    return gr.Slider(1, most, value=value, step=1, **more)


def make_ways(model: LatentDiffusion, limits: Limits) -> list[Control]:
    """Steps, solver, guidance and size.

    Args:
        model: The model, whose own settings are the defaults.
        limits: Bounds of the page.
    """
    controls = [*_steps(model, limits), _solver(model)]
    if has_null(model):
        controls += [*_guidance(model), *_negative(model)]
        box = gr.Checkbox(False, label='No condition', elem_id='no-condition')
        controls.append(Control('unconditional', box))
    if not {*WITH_SIZE}.intersection(model.conditioner.reads):
        controls += _size(model, limits)
    return controls


def has_null(model: LatentDiffusion) -> bool:
    """Whether the model was trained with conditions left out at random."""
    conditioner = model.conditioner
    slots = conditioner.slots
    return bool(slots) and not (
        conditioner.without_null or conditioner.never_dropped(slots)
    )


def _steps(model: LatentDiffusion, limits: Limits) -> list[Control]:
    scheduler = model.diffusion_scheduler
    most = min(limits.steps, scheduler.noise_schedule.num_timesteps)
    own = min(scheduler.num_steps, most)
    steps = counter(most, own, label='Steps')
    return [Control('steps', steps, whole('steps'))]


def whole(name: str) -> Callable[[Any], Any]:
    """A function that makes whole numbers of those of a slider."""

    def read(value: Any) -> Any:
        whole = value is not None and value == value // 1
        return int(value) if whole else value

    return read


def _solver(model: LatentDiffusion) -> Control:
    own = type(model.diffusion_scheduler.solver).__name__
    names = sorted(
        name
        for name, cls in DIFFUSION_SCHEDULERS.module_dict.items()
        if isinstance(cls, type) and issubclass(cls, Solver)
    )
    choices = [(f'{own}, as in the config', ''), *names]
    dropdown = gr.Dropdown(choices, value='', label='Solver')
    return Control('solver', dropdown, lambda name: name or None)


def _guidance(model: LatentDiffusion) -> list[Control]:
    """The scale, if the model's own guidance is none or has one scale."""
    guidance = model.guidance
    if isinstance(guidance, NoGuidance):
        own = 1.0
    elif type(guidance) is ClassifierFreeGuidance:
        own = guidance.scales[0]
    else:
        return []
    slider = gr.Slider(
        0, max(MOST_GUIDANCE, own), value=own, step=0.1, label='Guidance scale'
    )
    # The model's own guidance may have more settings than a scale.
    return [
        Control('guidance_scale', slider, lambda x: None if x == own else x)
    ]


def _negative(model: LatentDiffusion) -> list[Control]:
    if 'caption' in model.conditioner.reads:
        box = gr.Textbox(
            label='Negative prompt',
            max_length=LONGEST_PROMPT,
            placeholder='what guidance leads away from',
        )
        return [
            Control('negative', box, lambda text: (text or '').strip() or None)
        ]
    names = class_names(model, 'gt_label')
    if not names:
        return []
    choices = [('none', -1), *((n, i) for i, n in enumerate(names))]
    dropdown = gr.Dropdown(choices, value=-1, label='Class to lead away from')
    return [
        Control('negative', dropdown, lambda i: None if i == -1 else i),
    ]


def _size(model: LatentDiffusion, limits: Limits) -> list[Control]:
    height, width = own_size(model)
    with gr.Row():
        sides = [
            gr.Number(side, label=label, precision=0, maximum=limits.side)
            for label, side in (('Height', height), ('Width', width))
        ]
    return [
        Control(name, side)
        for name, side in zip(('height', 'width'), sides, strict=True)
    ]


def fit_boards(
    conditions: Sequence[Control], others: Sequence[Control]
) -> None:
    """Make boards follow the size of the images.

    Args:
        conditions: Controls, some of which may be boards.
        others: Controls, which may be those of height and width.
    """
    sides = [c.component for c in others if c.argument in ('height', 'width')]
    for control in conditions:
        if not sides or not isinstance(control.component, gr.HTML):
            continue
        for side in sides:
            side.change(
                resized,
                sides,
                [control.component],
                show_progress='hidden',
                api_visibility='private',
            )


def resized(height: int | None, width: int | None) -> gr.HTML:
    """A board of another size, if the numbers are one."""
    if not (height and width and min(height, width) > 0):
        return gr.skip()
    return gr.HTML(canvas=canvas((height, width)))
