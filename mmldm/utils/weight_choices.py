"""Names of a training's sets of weights; imports no torch, for --help."""

# The running average, or the weights in training.
WEIGHT_CHOICES = ('ema', 'raw')
