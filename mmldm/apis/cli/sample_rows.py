"""What the flags of tools/sample.py ask for."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

from ..inference.inferencer import LatentDiffusionInferencer
from ..inference.picture_settings import read_settings, restored
from ..inference.request_files import Row, read_rows
from ..retrieval import Retriever, retrieve

# Flags whose values are arguments of the same name.
SHARED = (
    *('negative', 'image', 'mask', 'strength', 'low_res', 'map', 'like'),
    *('seed', 'interpolate'),
)
WAYS = ('solver', 'grid', 'steps', 'window', 'dtype')
# Arguments whose flags have other names.
OTHER_FLAGS = {
    'layout': '--object',
    'features': '--database',
    'guidance_scale': '--scale',
    'guidance_rescale': '--rescale',
    'guidance_interval': '--interval',
    'fields': '--field',
}
ARGUMENT = (
    r'(^|give |reads |with |or |, )(label|prompt|negative|layout|image|mask|'
    r'strength|low_res|map|like|features|size|seed|num|steps|solver|grid|window|'
    r'guidance_scale|guidance_rescale|guidance_interval|batch_size|dtype|'
    r'unconditional|name_by)(?=[=:., ]|$)'
)
OWN_FIELD = r"fields\['(\w+)'\]"
FRAMES = 16


class Asked(NamedTuple):
    """What a command line asks for.

    Attributes:
        rows: A row for each kind of images.
        ways: How to sample, arguments of a call.
        num: Images of a row that does not say how many.
        settings: Those of ``--like-settings``; None without it.
    """

    rows: list[Row]
    ways: dict[str, Any]
    num: int
    settings: dict[str, Any] | None = None


def asked_by(flags: Mapping[str, Any]) -> Asked:
    """What flags ask for.

    Args:
        flags: Value of each flag of ``SAMPLE_FLAGS``, checked.

    Raises:
        FileNotFoundError, ValueError: If a file of rows or settings is
            invalid.
    """
    ways, common = _ways(flags), _common(flags)
    if flags['like_settings'] is not None:
        return _asked_again(flags, common, ways)
    num = flags['num'] or 4
    if flags['interpolate'] is not None:
        num = common['frames'] = flags['frames'] or FRAMES
    if flags['rows'] is None:
        rows = [Row({})]
    else:
        rows, num = read_rows(flags['rows']), flags['num'] or 1
    return Asked(
        [
            kind
            for row in rows
            for kind in _kinds(flags, Row(common | row.arguments, row.where))
        ],
        ways,
        num,
    )


def _asked_again(
    flags: Mapping[str, Any], common: dict[str, Any], ways: dict[str, Any]
) -> Asked:
    """What ``--like-settings`` asks for; other flags replace settings."""
    source = flags['like_settings']
    settings = read_settings(source)
    arguments = restored(settings, common, source) | common
    for name in ('label', 'prompt'):
        if flags[name] is not None:
            arguments.pop(name, None)
    rows = [*_kinds(flags, Row(arguments))]
    if len(rows) > 1 or flags['num'] not in (None, 1):
        raise ValueError(
            '--like-settings generates one image: give one --label and '
            '--prompt at most, and no --num'
        )
    return Asked(rows, settings['sampling'] | ways, 1, settings)


def _common(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments that all images share."""
    common = {name: flags[name] for name in SHARED}
    if flags['database'] is not None:
        common['like'] = None
    if flags['object'] is not None:
        common['layout'] = [(int(c), box) for c, *box in flags['object']]
    if flags['field'] is not None:
        common['fields'] = dict(map(_own_field, flags['field']))
    if flags['size'] is not None:
        common['size'] = (flags['size'][0], flags['size'][-1])
    return {name: v for name, v in common.items() if v is not None}


def _own_field(written: str) -> tuple[str, str]:
    """Name and file of a field that the toolbox does not know."""
    name, _, path = written.partition('=')
    if not name.isidentifier() or not path:
        raise ValueError(
            f'--field {written} must be NAME=FILE, such as sketch=sketch.png'
        )
    return name, path


def _ways(flags: Mapping[str, Any]) -> dict[str, Any]:
    """How the flags ask to sample, without what they leave open."""
    ways = {name: flags[name] for name in WAYS}
    for name in ('scale', 'rescale', 'interval'):
        ways[f'guidance_{name}'] = flags[name]
    for name in ('unconditional', 'compile'):
        ways[name] = flags[name] or None
    return {name: value for name, value in ways.items() if value is not None}


def _kinds(flags: Mapping[str, Any], row: Row) -> Iterator[Row]:
    """The row with every class and every caption of the flags."""
    several = {
        name: flags[name]
        for name in ('label', 'prompt')
        if name not in row.arguments and flags[name] is not None
    }
    if flags['database'] is not None:
        several.pop('prompt', None)
    for values in product(*several.values()):
        kind = dict(zip(several, values, strict=True))
        yield Row({**row.arguments, **kind}, row.where)


def retrieved(
    rows: Sequence[Row],
    draw: LatentDiffusionInferencer,
    search: tuple[str, int | None, str | None],
    texts: Sequence[str] | None,
    images: Sequence[str] | None,
) -> tuple[list[Row], list[str]]:
    """Each row with the features of each query of a database.

    Args:
        rows: The rows.
        draw: The inferencer.
        search: Database, number of neighbours (None for 4), and encoder (None
            for the one that the database names).
        texts: The queries; None to use ``images``.
        images: Paths of image files, the queries if ``texts`` is None.

    Returns:
        The rows, and a line about the neighbours of each query.
    """
    database, num, encoder = search
    retriever = Retriever(
        database,
        num or 4,
        draw.model.conditioner.dim('tokens'),
        encoder,
        next(draw.model.parameters()).device,
    )
    found = retrieve(retriever, texts, images)
    lines = [
        f'like {query}: {", ".join(retriever.names(features))}'
        for query, features in found.items()
    ]
    return [
        row._replace(arguments={**row.arguments, 'features': features})
        for row in rows
        for features in found.values()
    ], lines


def in_flags(message: str) -> str:
    """A message about arguments, with the names of their flags."""

    def flag(match: re.Match) -> str:
        name = match[2]
        other = OTHER_FLAGS.get(name) or f'--{name.replace("_", "-")}'
        return f'{match[1]}{other}'

    message = message.replace('unconditional=True', 'unconditional')
    message = re.sub(OWN_FIELD, r'--field \1=FILE', message)
    return re.sub(ARGUMENT, flag, message)
