"""What is drawn on a board: boxes of classes, or a class for each pixel."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

Layout = list[tuple[int, tuple[float, float, float, float]]]

SCRIPT = Path(__file__).with_name('board.js')
TEMPLATE = """
<div class="board">
  <div class="board-tools">
    <select class="board-class" aria-label="class"></select>
    <label class="board-size">brush
      <input class="board-brush" type="range" min="1" max="9"></label>
    <button class="board-undo" type="button">Undo</button>
    <button class="board-clear" type="button">${clear}</button>
  </div>
  <canvas class="board-canvas"></canvas>
  <div class="board-hint">${hint}</div>
</div>
"""
CSS = """
.board-tools { display: flex; gap: 8px; align-items: center;
  flex-wrap: wrap; margin-bottom: 8px; }
.board-tools select, .board-tools button { border: 1px solid
  var(--border-color-primary); border-radius: 6px; padding: 4px 10px;
  background: var(--background-fill-primary); color: var(--body-text-color);
  max-width: 14em; }
.board-size { display: flex; gap: 6px; align-items: center; }
.board-size[hidden], .board[hidden] { display: none; }
.board-brush { width: 90px; }
.board-canvas { display: block; max-width: 100%; cursor: crosshair;
  border: 1px solid var(--border-color-primary); touch-action: none;
  background: #fff center / 100% 100% no-repeat;
  image-rendering: pixelated; }
.board-hint { color: var(--body-text-color-subdued); margin-top: 4px;
  font-size: 0.9em; }
"""


def read_boxes(drawn: str | None) -> Layout | None:
    """The boxes that a browser sent.

    Args:
        drawn: What ``board.js`` tells; None or '' before that.

    Raises:
        ValueError: If it is none of its messages.
    """
    if not drawn:
        return None
    try:
        return [
            (int(label), (float(x), float(y), float(w), float(h)))
            for label, x, y, w, h in _message(drawn)['boxes']
        ] or None
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(f'layout: the drawing is damaged ({error})') from None


def read_paint(
    name: str, drawn: str | None, largest: int
) -> np.ndarray | None:
    """The class of each pixel that a browser sent, int64 (H, W).

    Args:
        name: The argument, for messages.
        drawn: What ``board.js`` tells; None or '' before that.
        largest: Longest side that is accepted, pixels.

    Raises:
        ValueError: If it is none of its messages, or too large.
    """
    if not drawn:
        return None
    try:
        message = _message(drawn)
        height, width = map(int, message['size'])
        runs = np.array(message['runs'], np.int64).reshape(-1, 2)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(f'{name}: the drawing is damaged ({error})') from None
    if height == 0 or width == 0:
        return None
    if not (0 < height <= largest and 0 < width <= largest):
        raise ValueError(
            f'{name} has {width}x{height} pixels, but this page allows sides '
            f'of {largest}'
        )
    labels, counts = runs.T
    # Each is checked, as sums of large numbers overflow.
    if ((counts < 1) | (counts > height * width)).any() or (
        math.fsum(counts) != height * width
    ):
        raise ValueError(f'{name}: the drawing is damaged (wrong size)')
    return labels.repeat(counts).reshape(height, width)


def _message(drawn: str) -> dict[str, Any]:
    message = json.loads(drawn)
    if not isinstance(message, dict):
        raise ValueError('expected an object')
    return message


def canvas(size: Sequence[int], picture: str = '') -> str:
    """The size of a board, and what it shows below the drawing.

    Args:
        size: Height and width, pixels; zeros hide the board.
        picture: Data URL.
    """
    height, width = size
    return json.dumps(dict(width=width, height=height, picture=picture))


def make_board(
    mode: str, classes: Sequence[str], size: Sequence[int], hint: str, **more
):
    """The component of a board.

    Args:
        mode: 'boxes' or 'paint'.
        classes: Their names.
        size: Height and width, pixels.
        hint: What to do, in a line.
        more: Other arguments of ``gradio.HTML``.
    """
    import gradio

    clear = 'Fill' if mode == 'paint' and len(classes) > 2 else 'Clear'
    return gradio.HTML(
        value='',
        html_template=TEMPLATE,
        css_template=CSS,
        js_on_load=SCRIPT.read_text(),
        apply_default_css=False,
        mode=mode,
        classes=[*classes],
        canvas=canvas(size),
        hint=hint,
        clear=clear,
        **more,
    )
