"""Timed runs of our UNet and diffusers', each in its own process."""

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import torch
from denoiser_report import DTYPES, FORMATS, Result, Row
from torch import Tensor, nn

from mmldm.converters.diffusers.denoiser import unet_keys
from mmldm.converters.diffusers.denoiser_config import (
    denoiser_to_diffusers_config,
)
from mmldm.models.denoisers import DenoisingUNet
from mmldm.registry import MODELS
from mmldm.structures import Condition
from mmldm.utils.memory import keep_freed_memory

WARMUPS = 3


@dataclass(frozen=True)
class Setup:
    """What all runs share.

    Args:
        batch_size: Latents of a run.
        size: Height and width of latents.
        num_tokens: Tokens of each image.
        device: 'cpu' or 'cuda'.
        compile: Whether to time both under torch.compile.
    """

    batch_size: int = 1
    size: int = 64
    num_tokens: int = 1
    device: str = 'cpu'
    compile: bool = False


@dataclass
class Contestant:
    """A network, and its call with (latents, times, tokens)."""

    network: nn.Module
    call: Callable[..., Tensor]

    def set(self, row: Row) -> None:
        """Prepare the network for the runs of a row."""
        torch.compiler.reset()  # a few settings only are compiled, then none
        self.network.to(memory_format=FORMATS[row.memory_format])
        if isinstance(self.network, DenoisingUNet):
            self.network.channels_last = row.memory_format == 'channels_last'

    def run(self, row: Row, batch: tuple) -> Tensor:
        """Do a forward pass, and a backward pass for a train step."""
        z, t, tokens = batch
        z = z.contiguous(memory_format=FORMATS[row.memory_format])
        trains = row.task == 'train step'
        dtype = DTYPES[row.dtype]
        autocast = torch.autocast(
            z.device.type, dtype, enabled=dtype != torch.float32
        )
        with torch.set_grad_enabled(trains), autocast:
            out = self.call(z, t, tokens)
        if trains:
            out.float().square().mean().backward()
            self.network.zero_grad(set_to_none=True)
        return out.detach().float()

    def seconds(self, row: Row, batch: tuple) -> float:
        """Duration of one run, seconds."""
        _wait(batch[0])
        start = time.perf_counter()
        self.run(row, batch)
        _wait(batch[0])
        return time.perf_counter() - start


def _wait(tensor: Tensor) -> None:
    """Wait until a GPU has finished."""
    if tensor.is_cuda:
        torch.cuda.synchronize()


def our_unet(config: dict) -> DenoisingUNet:
    """Our network, with the same weights in every process."""
    torch.manual_seed(0)
    unet = MODELS.build(dict(config))
    for weight in unet.parameters():
        if not weight.any():  # zero outputs would hide differences
            nn.init.normal_(weight, std=0.02)
    return unet


def ours(config: dict, setup: Setup) -> Contestant:
    """Our network, set up as by our Runner."""
    if setup.device == 'cpu':
        keep_freed_memory()
    unet = our_unet(config).to(setup.device)
    network = torch.compile(unet) if setup.compile else unet
    return Contestant(
        unet, lambda z, t, tokens: network(z, t, Condition(tokens=tokens))
    )


def diffusers_own(config: dict, setup: Setup) -> Contestant:
    """The same network of diffusers, with our weights."""
    import diffusers

    arguments = denoiser_to_diffusers_config(config)
    unet = getattr(diffusers, arguments.pop('_class_name'))(**arguments)
    unet.load_state_dict(
        unet_keys(config).write(our_unet(config).state_dict(), config)
    )
    unet.to(setup.device)
    network = torch.compile(unet) if setup.compile else unet
    if config.get('context_dim') is None:
        return Contestant(
            unet, lambda z, t, tokens: network(z, t, return_dict=False)[0]
        )
    return Contestant(
        unet, lambda z, t, tokens: network(z, t, tokens, return_dict=False)[0]
    )


def inputs(config: dict, setup: Setup) -> tuple:
    """Latents, times and tokens."""
    torch.manual_seed(0)
    size = setup.size, setup.size
    z = torch.randn(setup.batch_size, config['in_channels'], *size)
    t = torch.randint(1000, (setup.batch_size,)).float()
    tokens = None
    if config.get('context_dim') is not None:
        tokens = torch.randn(
            setup.batch_size, setup.num_tokens, config['context_dim']
        ).to(setup.device)
    return z.to(setup.device), t.to(setup.device), tokens


def serve(
    build: Callable[..., Contestant],
    config: dict,
    setup: Setup,
    pipe: Connection,
) -> None:
    """Main function of a process: answer a row by outputs, then by seconds."""
    warnings.filterwarnings('ignore')
    contestant = build(config, setup)
    batch = inputs(config, setup)
    pipe.send(sum(p.numel() for p in contestant.network.parameters()))
    last = None
    while (row := pipe.recv()) is not None:
        if row != last:
            contestant.set(row)
            for _ in range(WARMUPS):
                out = contestant.run(row, batch)
            pipe.send(out.cpu().numpy())
        else:
            pipe.send(contestant.seconds(row, batch))
        last = row


def start(
    build: Callable[..., Contestant], config: dict, setup: Setup
) -> Connection:
    """Start a process that serves a network; return its pipe."""
    context = get_context('spawn')
    here, there = context.Pipe()
    context.Process(
        target=serve, args=(build, config, setup, there), daemon=True
    ).start()
    return here


def ask(pipe: Connection, row: Row) -> Any:
    """Send a row to a process and return its answer."""
    pipe.send(row)
    return pipe.recv()


def measure(
    both: Sequence[Connection], settings: Sequence[Row], repeats: int
) -> Result:
    """Time both in alternation; the first runs warm up and give outputs.

    Args:
        both: Processes that serve our network and diffusers'.
        settings: The row of each process.
        repeats: Number of pairs of runs.
    """
    outputs = [ask(*asked) for asked in zip(both, settings, strict=True)]
    times: list[list[float]] = [[], []]
    for i in range(repeats):
        for which in (0, 1) if i % 2 else (1, 0):
            times[which].append(ask(both[which], settings[which]))
    difference = abs(outputs[0] - outputs[1]).max()
    return Result(*times, difference / abs(outputs[1]).max())
