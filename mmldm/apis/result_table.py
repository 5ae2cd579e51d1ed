"""Results of several tests beside each other."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

# Parts of a protocol that differ without a meaning for the numbers.
IGNORED = ('environment.date', 'model.sha256')


class Result(NamedTuple):
    """A test that was done.

    Attributes:
        name: The file's.
        metrics: Values by name.
        settings: Everything the values depend on, by dotted key.
    """

    name: str
    metrics: dict[str, float]
    settings: dict[str, Any]


# What ``tools/test.py`` writes into a folder, unless --out names the file.
IN_FOLDER = 'metrics_protocol.json'


def read_result(path: str) -> Result:
    """The result that ``tools/test.py`` has written.

    Args:
        path: The file, or the work directory of the test.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it holds something else.
    """
    if Path(path).is_dir():
        path = str(Path(path) / IN_FOLDER)
    if not Path(path).is_file():
        raise FileNotFoundError(f'{path} does not exist')
    try:
        content = json.loads(Path(path).read_text())
        metrics, protocol = content['metrics'], content['protocol']
        settings = dict(_flat(protocol))
        numbers = {
            name: float(value)
            for name, value in metrics.items()
            if isinstance(value, int | float)
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f'{path} is no result of a test ({error!r}): give a file '
            '..._protocol.json of tools/test.py'
        ) from error
    return Result(path, numbers, settings)


def differing(results: Sequence[Result]) -> list[str]:
    """Settings in which results differ, in order of their names."""
    names = {name for result in results for name in result.settings}
    return sorted(
        name
        for name in names - {*IGNORED}
        if len({json.dumps(r.settings.get(name)) for r in results}) > 1
    )


def markdown_table(results: Sequence[Result]) -> str:
    """Settings that differ, and all metrics: a row a result."""
    settings = differing(results)
    metrics = list(dict.fromkeys(m for r in results for m in r.metrics))
    rows = [['file', *settings, *metrics], ['---'] * 1]
    rows[1] *= len(rows[0])
    for result in results:
        values = (result.metrics.get(name) for name in metrics)
        rows.append(
            [
                result.name,
                *(str(result.settings.get(name, '')) for name in settings),
                *('' if v is None else f'{v:.5g}' for v in values),
            ]
        )
    return '\n'.join(f'| {" | ".join(row)} |' for row in rows)


def curves(
    results: Sequence[Result], setting: str, metric: str
) -> dict[str, list[tuple[float, float]]]:
    """(setting, metric) of all results; a curve where all else agrees.

    Args:
        results: The tests.
        setting: Name of the setting along the curves, a number.
        metric: Name of the metric.

    Returns:
        Curves by the values of the other settings that differ.

    Raises:
        ValueError: If a name is unknown, or a setting is no number.
    """
    others = [name for name in differing(results) if name != setting]
    found: dict[str, list[tuple[float, float]]] = {}
    for result in results:
        label = ', '.join(
            f'{name.rpartition(".")[2]}={result.settings.get(name)}'
            for name in others
        )
        point = _point(result, setting, metric, results)
        found.setdefault(label, []).append(point)
    return {label: sorted(points) for label, points in found.items()}


def _point(
    result: Result, setting: str, metric: str, results: Sequence[Result]
) -> tuple[float, float]:
    x, y = result.settings.get(setting), result.metrics.get(metric)
    if isinstance(x, bool) or not isinstance(x, int | float):
        known = ', '.join(differing(results)) or 'none'
        raise ValueError(
            f'{result.name} has no number {setting!r}: give one of the '
            f'settings that differ ({known})'
        )
    if y is None:
        raise ValueError(
            f'{result.name} has no metric {metric!r}: give one of '
            f'{", ".join(result.metrics)}'
        )
    return float(x), y


def _flat(node: Any, path: str = '') -> Iterator[tuple]:
    """(dotted key, value) of all plain values, and lists of plain values.

    An entry of a list of dicts has its number as a key: ``judges.0.network``.
    """
    if isinstance(node, Mapping):
        items = node.items()
    elif isinstance(node, list) and any(isinstance(v, Mapping) for v in node):
        items = enumerate(node)
    else:
        yield path, node
        return
    for key, value in items:
        yield from _flat(value, f'{path}.{key}' if path else str(key))
