"""Which weights of a training are taken; knows no torch, for --help."""

# Their running average, or those in training.
WEIGHT_CHOICES = ('ema', 'raw')
