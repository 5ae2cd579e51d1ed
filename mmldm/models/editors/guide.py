"""The weaker model of autoguidance."""

from collections.abc import Callable

from torch import nn

from mmldm.diffusion.guidance import Predict
from mmldm.structures import Condition
from mmldm.utils.checkpoint import load_weights, read_checkpoint, weights_of
from mmldm.utils.typing import ConfigType, SampleList

from ..autoencoders import Autoencoder
from ..conditioners import Encode
from .derived import build_networks
from .part_checks import check_guidance


class Guide(nn.Module):
    """Frozen denoiser and conditioner of another model.

    Args:
        denoiser: Config of the guide's denoiser.
        conditioner: Config of the guide's conditioner. Its embeddings were
            trained together with that denoiser.
        checkpoint: File or work directory of the ``LatentDiffusion`` that the
            guide is taken from.
        autoencoder: First stage of both models.
        num_outputs: Outputs of both models for each latent channel.

    Raises:
        FileNotFoundError: If the checkpoint does not exist.
        ValueError: If the checkpoint does not fit.
    """

    def __init__(
        self,
        denoiser: ConfigType,
        conditioner: ConfigType,
        checkpoint: str,
        autoencoder: Autoencoder,
        num_outputs: int,
    ) -> None:
        super().__init__()
        self.denoiser, self.conditioner = build_networks(
            denoiser, conditioner, autoencoder, num_outputs
        )
        try:
            weights = weights_of(read_checkpoint(checkpoint))
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f'model.guide_checkpoint={checkpoint!r} does not exist: give '
                'the file or work directory of a smaller or earlier model'
            ) from error
        own = tuple(f'{name}.' for name, _ in self.named_children())
        load_weights(
            self,
            {n: w for n, w in weights.items() if n.startswith(own)},
            f'model.guide_checkpoint={checkpoint!r}',
        )
        self.requires_grad_(False)
        self.eval()


class Guided(nn.Module):
    """Mix-in that owns ``self.guide``, a :class:`Guide` or None.

    The guide is no submodule, but moves to other devices and types with the
    model. No checkpoint stores it, no optimizer, average or ``train()`` sees
    it, and training resumes with or without it.
    """

    files = ('guide_checkpoint',)
    # torch does not find modules in a tuple.
    _guide: tuple[Guide | None] = (None,)

    def init_guide(
        self,
        guide: ConfigType | None,
        conditioner: ConfigType,
        checkpoint: str | None,
    ) -> None:
        """Load the guide, if there is one.

        Args:
            guide: Config of the guide's denoiser.
            conditioner: Config of the guide's conditioner.
            checkpoint: See :class:`Guide`.

        Raises:
            ValueError: If only one of denoiser and checkpoint is given.
        """
        if (guide is None) != (checkpoint is None):
            raise ValueError(
                f'model.guide={guide} with model.guide_checkpoint='
                f'{checkpoint!r}: give both or neither'
            )
        if guide is not None:
            shared = self.autoencoder, self.diffusion_scheduler.num_outputs
            self._guide = (Guide(guide, conditioner, checkpoint, *shared),)

    @property
    def guide(self) -> Guide | None:
        """The weaker model, None without one."""
        return self._guide[0]

    def _apply(self, fn: Callable, recurse: bool = True) -> nn.Module:
        """Move or cast all modules; torch calls it."""
        if self.guide is not None:
            self.guide._apply(fn, recurse)
        return super()._apply(fn, recurse)

    def with_guide(
        self, predict: Predict, data_samples: SampleList, encode: Encode
    ) -> Predict:
        """Add the guide and its conditions to ``predict``.

        Args:
            predict: Estimates z_0, with ``guide=True`` by the guide's
                denoiser.
            data_samples: Conditions, read by the guide's conditioner.
            encode: Encoder of the first stage, which both models share.
        """
        if self.guide is None:
            return predict
        own = self.guide.conditioner(data_samples, encode=encode)

        def predict_either(
            z, level, condition: Condition, guide: bool = False
        ):
            return predict(z, level, own if guide else condition, guide)

        return predict_either

    def check_guidance(self) -> None:
        """Raise unless the model has what its guidance needs.

        Raises:
            ValueError: If a slot, a guide or a null condition is missing.
        """
        check_guidance(self.guidance, self.conditioner, self.guide is not None)
