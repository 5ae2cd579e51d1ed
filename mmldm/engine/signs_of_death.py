"""Signs that a training learns nothing, each with its usual cause."""

from collections import deque
from statistics import fmean, median

# Part of the loss of nothing learned that a living training falls below.
TRIVIAL = 0.95
# Range of the root mean square of latents, whose noise has 1.
LEAST, MOST = 1 / 3, 3.0
# Part of the codes that a living codebook uses, as perplexity.
FEWEST = 0.01
# Norm of a gradient without effect, and growth of one that explodes.
NOTHING, EXPLOSION = 1e-10, 100
# Values that are averaged, and that a median needs.
WINDOW, ENOUGH = 10, 10


def latents(root_mean_square: float) -> str | None:
    """A message if latents are far from unit variance."""
    if LEAST <= root_mean_square <= MOST:
        return None
    return (
        f'latents have a root mean square of {root_mean_square:.3g}, but the '
        'noise has 1: usually the scale is missing or that of another first '
        'stage. Set default_hooks.latent_scale=dict(type='
        "'LatentScaleHook'), or model.autoencoder.latent_scale to "
        f'{1 / max(root_mean_square, 1e-6):.3g} times its value'
    )


class Plateau:
    """A term of the loss that stays where nothing is learned."""

    def __init__(self) -> None:
        self.ratios: deque[float] = deque(maxlen=WINDOW)

    def __call__(self, name: str, value: float, trivial: float) -> str | None:
        """A message after :data:`WINDOW` values that mean no progress.

        Args:
            name: Name of the term.
            value: Its present value.
            trivial: Its value if the network has learned nothing.
        """
        self.ratios.append(value / trivial)
        mean = fmean(self.ratios)
        if len(self.ratios) < WINDOW or mean < TRIVIAL:
            return None
        return (
            f'{name} is {mean * trivial:.3g}, and {trivial:.3g} for a network '
            'that predicts nothing: usually the learning rate is far too '
            'high or too low, or the trained weights do not reach the loss'
        )


class Codebook:
    """A codebook of which few entries are used."""

    def __init__(self) -> None:
        self.values: deque[float] = deque(maxlen=WINDOW)

    def __call__(self, perplexity: float, num_codes: int) -> str | None:
        """A message after :data:`WINDOW` low perplexities."""
        self.values.append(perplexity)
        mean = fmean(self.values)
        if len(self.values) < WINDOW or mean >= max(2, FEWEST * num_codes):
            return None
        return (
            f'the perplexity of the codes is {mean:.3g}, of {num_codes} '
            'codes: the codebook has collapsed, usually because codes lie '
            "far from the encoder's outputs. Set quantizer=dict(kmeans_init="
            'True, revive_after=100), or a lower learning rate'
        )


class Gradient:
    """The gradient of a part that vanishes or explodes.

    Args:
        part: Name of the part.
    """

    def __init__(self, part: str) -> None:
        self.part = part
        self.norms: deque[float] = deque(maxlen=50)
        self.none = self.huge = 0

    def __call__(self, norm: float) -> str | None:
        """A message at the third norm of nothing, or the second huge one."""
        known = median(self.norms) if len(self.norms) >= ENOUGH else None
        self.none = self.none + 1 if norm <= NOTHING else 0
        is_huge = known is not None and not norm <= EXPLOSION * known
        self.huge = self.huge + 1 if is_huge else 0
        if not is_huge:
            self.norms.append(norm)
        if self.none >= 3:
            return (
                f'the gradient of model.{self.part} is {norm:.3g}: usually '
                'its output does not reach the loss, a weight of the loss is '
                '0, or float16 rounds to 0 (use bfloat16)'
            )
        if self.huge >= 2:
            return (
                f'the gradient of model.{self.part} is {norm:.3g}, and was '
                f'{known:.3g} before: usually the learning rate is too high. '
                'Lower it, lengthen its warm-up, or set optim_wrapper.'
                'clip_grad=dict(max_norm=1.0)'
            )
        return None
