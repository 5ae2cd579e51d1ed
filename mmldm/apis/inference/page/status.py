"""What a page says about a request, as HTML."""

import base64
import html
import io

from PIL import Image

from .studio import Pictures, Progress

SHOWN = 192  # pixels of the longer side of a preview
MOST_SHOWN = 8  # previews
CSS = """
.mmldm-bar { height: 8px; border-radius: 4px; overflow: hidden;
  background: var(--border-color-primary); margin: 6px 0; }
.mmldm-bar div { height: 100%; background: var(--color-accent); }
.mmldm-error { color: #b91c1c; font-weight: 600; }
.dark .mmldm-error { color: #fca5a5; }
.mmldm-previews { display: flex; gap: 6px; flex-wrap: wrap; }
.mmldm-previews img { max-width: 24%; min-width: 96px;
  border-radius: 4px; margin: 0; }
.small img { image-rendering: pixelated; }
#images .caption-label { font-size: 11px; padding: 1px 6px; opacity: 0.85; }
"""


def line(text: str) -> str:
    """A line of plain text, whoever wrote it."""
    text = html.escape(' '.join(text.split()))
    return f'<div class="mmldm-line">{text}</div>'


def error(text: str) -> str:
    """A line about what went wrong."""
    return f'<div class="mmldm-error">{line(f"Error: {text}")}</div>'


def progress(news: Progress, num: int, batch: int, total: int) -> str:
    """A bar, what is drawn, and previews.

    Args:
        news: The news.
        num: Images of the request.
        batch: Images at a time.
        total: Evaluations of the network in a batch.
    """
    if news.ahead:
        before = f'{news.ahead} request{"s"[: news.ahead > 1]}'
        return line(f'The model is busy: {before} before yours.')
    if not news.evaluations:
        return line('The model starts.')
    first = news.batch * batch
    share = min(1, news.evaluations / total)
    part = (first + share * min(batch, num - first)) / num
    last = min(first + batch, num)
    images = (
        f'Image {last}'
        if last == first + 1
        else f'Images {first + 1} to {last}'
    )
    done = f'{images} of {num}, step {news.evaluations} of {total}'
    return (
        f'{line(done)}<div class="mmldm-bar"><div style="width:'
        f'{100 * part:.0f}%"></div></div>{_shown(news.previews)}'
    )


def _shown(previews: Pictures | None) -> str:
    """The previews in a row."""
    tags = [
        f'<img alt="preview" src="{_url(picture)}">'
        for picture in (previews or ())[:MOST_SHOWN]
    ]
    return f'<div class="mmldm-previews">{"".join(tags)}</div>'


def _url(picture: Image.Image) -> str:
    picture = picture.copy()
    picture.thumbnail((SHOWN, SHOWN))
    content = io.BytesIO()
    picture.save(content, 'jpeg', quality=85)
    text = base64.b64encode(content.getvalue()).decode('ascii')
    return f'data:image/jpeg;base64,{text}'
