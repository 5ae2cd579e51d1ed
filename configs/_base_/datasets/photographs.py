_base_ = '../evaluators/first_stage.py'

# The photographs in scikit-learn's and scikit-image's wheels, at full
# resolution. Three are held out.
# For models that shall learn the colours of photographs.
real_colours = [
    dict(type='RandomDownscale', min_scale=0.4),
    dict(type='Crop', random=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackInputs'),
]
# Debian's packages with more of them: apt-get install these (155 MB), or set
# packages=[] to train with those of the wheels alone.
wallpapers = [
    'lomiri-wallpapers-16.04',
    'mate-backgrounds',
    'plasma-workspace-wallpapers',
]
train_dataloader = dict(
    num_workers=0,
    sampler=dict(type='AddressedSampler'),
    dataset=dict(
        type='Photographs',
        split='train',
        size=64,
        # Seven photographs have few scales and colours: add more.
        pipeline=[
            *real_colours[:2],
            dict(type='RandomChannelOrder'),
            *real_colours[2:],
        ],
    ),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='Photographs',
        split='val',
        pipeline=[dict(type='PackInputs')],
    ),
)
test_dataloader = val_dataloader

# Sharpness, and distances of which only the first may have trained the model.
val_evaluator = [
    dict(type='ReconstructionMetrics', lpips=dict(type='LPIPS')),
    dict(type='FeatureDistance', patches=True),
    dict(type='Sharpness'),
    dict(type='LatentStatistics'),
]
test_evaluator = val_evaluator
