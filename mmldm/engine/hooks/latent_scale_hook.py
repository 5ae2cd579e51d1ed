"""Measurement of the scale that gives latents a standard deviation of 1."""

from mmengine.hooks import Hook
from torch import Tensor

from mmldm.registry import HOOKS

from ..latent_moments import latent_moments, set_scale


@HOOKS.register_module()
class LatentScaleHook(Hook):
    """Measures ``autoencoder.latent_scale`` before training.

    The scale is 1 / standard deviation of the latents. Rombach et al. 2022,
    app. G, use the first batch of one process; here the samples are spread
    over the data, see ``latent_moments``. A first stage whose scale or shift
    is measured already (``tools/analysis_tools/latent_stats.py``) keeps them.
    Checkpoints hold both: neither a resumed run nor one with ``load_from`` or
    with an adapter measures again.

    Args:
        num_samples: Images to encode, or all if there are fewer.
        batch_size: Images to encode at a time.
        per_channel: Measure a scale and a shift for every channel.
    """

    def __init__(
        self,
        num_samples: int = 1024,
        batch_size: int = 32,
        per_channel: bool = False,
    ) -> None:
        self.num_samples = num_samples
        self.batch_size = batch_size
        self.per_channel = per_channel

    def before_train(self, runner) -> None:
        """Measure the scale, unless it was loaded.

        Raises:
            ValueError: If latents do not vary.
        """
        adapter = getattr(runner.bare_model, 'adapter', None)
        if runner._has_loaded or adapter is not None:
            return
        autoencoder = runner.bare_model.autoencoder
        scale, shift = autoencoder.latent_scale, autoencoder.latent_shift
        if (scale != 1).any() or shift.any():
            source = "the first stage's own, not measured again"
        else:
            moments = latent_moments(runner, self.num_samples, self.batch_size)
            set_scale(autoencoder, moments, self.per_channel)
            source = f'from {len(moments)} images'
        runner.logger.info(
            f'Latent scale {_text(scale)}, shift {_text(shift)}, {source}'
        )


def _text(values: Tensor) -> str:
    """One number if all are equal, else one for each channel."""
    texts = [f'{value:.6g}' for value in values.flatten().tolist()]
    return texts[0] if len(set(texts)) == 1 else f'[{", ".join(texts)}]'
