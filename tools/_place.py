"""Address and port where the processes of several machines meet."""

import errno
import os
import socket
import sys
import time
from dataclasses import dataclass

DEFAULT_PORT = 29500  # torchrun's
JOIN_TIMEOUT = 900  # seconds for all machines to start; torchrun's
PORT_TIMEOUT = 5  # seconds for an ending run to free its port


@dataclass(frozen=True)
class Place:
    """The place of this machine among all machines of a run.

    Args:
        nodes: Number of machines.
        node: Number of this machine, from 0.
        address: Address of machine 0.
        port: Port of machine 0, where all meet.
    """

    nodes: int
    node: int
    address: str
    port: int


def _number(name: str, default: int, first: int, last: int) -> int:
    """The value of an environment variable, an integer in [first, last]."""
    text = os.environ.get(name) or str(default)
    if not text.isascii() or not text.isdigit():
        raise ValueError(f'{name} must be an integer, got {text!r}')
    if not first <= int(text) <= last:
        raise ValueError(f'{name}={text} must be in {first} ... {last}')
    return int(text)


def read_place() -> Place:
    """The place that the environment variables describe.

    Raises:
        ValueError: If a variable is invalid.
    """
    nodes = _number('NNODES', 1, 1, 1_000_000)
    node = _number('NODE_RANK', 0, 0, nodes - 1)
    address = os.environ.get('MASTER_ADDR') or '127.0.0.1'
    try:
        socket.getaddrinfo(address, None)
    except OSError as error:
        raise ValueError(
            f'MASTER_ADDR={address} is unknown on this machine '
            f'({error.strerror}): set it to the address of the machine with '
            'NODE_RANK=0'
        ) from error
    if nodes == 1 and not os.environ.get('PORT'):
        return Place(nodes, node, address, _bound_port(0))
    port = _number('PORT', DEFAULT_PORT, 1, 65535)
    if nodes > 1:
        default = '' if os.environ.get('PORT') else ' (default)'
        print(
            f'machine {node} of {nodes} (NODE_RANK of NNODES): all meet at '
            f'MASTER_ADDR={address}, PORT={port}{default}',
            file=sys.stderr,
        )
    if node == 0:
        _bound_port(port)
    return Place(nodes, node, address, port)


def wait_for_machine_0(place: Place) -> None:
    """Return once machine 0 listens; torch's own wait ignores Ctrl-C.

    Raises:
        ValueError: If it does not listen within JOIN_TIMEOUT.
    """
    end = time.monotonic() + JOIN_TIMEOUT
    while place.node > 0:
        try:
            socket.create_connection((place.address, place.port), 5).close()
            return
        except OSError as error:
            if time.monotonic() > end:
                raise ValueError(meeting_trouble(place, error)) from error
        time.sleep(0.5)


def meeting_trouble(place: Place, error: Exception) -> str:
    """The message for an error of torch, or ours, while machines meet."""
    reason = str(error).splitlines()[0]
    if 'EADDRINUSE' in reason:
        return _taken(place.port)
    return (
        f'the {place.nodes} machines (NNODES) do not all meet at '
        f'MASTER_ADDR={place.address}, PORT={place.port} within '
        f'{JOIN_TIMEOUT} s: start the same command on each, with its '
        f'NODE_RANK ({reason})'
    )


def _bound_port(port: int) -> int:
    """The port, or a free one for 0, after a check that it can be used.

    Raises:
        ValueError: If the port cannot be used.
    """
    family = socket.AF_INET
    if both := socket.has_dualstack_ipv6():
        family = socket.AF_INET6
    end = time.monotonic() + PORT_TIMEOUT
    while True:
        try:
            with socket.create_server(
                ('', port), family=family, dualstack_ipv6=both
            ) as server:
                return server.getsockname()[1]
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise ValueError(
                    f'PORT={port} cannot be used ({error.strerror}): set '
                    'PORT to a free one'
                ) from error
            if time.monotonic() > end:
                raise ValueError(_taken(port)) from error
        time.sleep(0.2)


def _taken(port: int) -> str:
    return (
        f'PORT={port} is in use on this machine: set PORT to a free one; '
        'with one machine, leave PORT unset and a free one is chosen'
    )
