"""Hooks that let a ``FirstStage`` load the files of its relatives."""

from torch import nn

from .first_stage_hash import ORIGIN, PREFIX, first_stage_hash


def fit_parts(model: nn.Module, state: dict, prefix: str, *_) -> None:
    """Let the first stage of a latent diffusion model be loaded.

    One that keeps its encoder notes the hash of the first stage that it
    begins from, unless the file has noted it.

    Args:
        model: A ``FirstStage``.
        state: The state dict, changed in place.
        prefix: Beginning of the model's names in it.
    """
    if f'{prefix}denoiser.' in {n[: len(prefix) + 9] for n in state}:
        for name in [n for n in state if not n.startswith(prefix + PREFIX)]:
            del state[name]
    if not model.keeps_encoder:
        state.pop(prefix + ORIGIN, None)
    elif prefix + ORIGIN not in state:
        own = {prefix + n: w.dtype for n, w in model.state_dict().items()}
        weights = {
            name.removeprefix(prefix): weight.to(own.get(name, weight.dtype))
            for name, weight in state.items()
        }
        state[prefix + ORIGIN] = first_stage_hash(weights)


def fit_discriminator(model: nn.Module, state: dict, prefix: str, *_) -> None:
    """Let an autoencoder be loaded with and without its discriminator.

    If the file has no discriminator, the model's own one is kept. The
    adversarial phase can thus start from any autoencoder.
    """
    prefix += 'adversarial.'
    stored = [name for name in state if name.startswith(prefix)]
    if model.adversarial is None:
        for name in stored:
            del state[name]
    elif not stored:
        state.update(model.adversarial.state_dict(prefix=prefix))
