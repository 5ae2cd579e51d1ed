_base_ = './photographs.py'

# More photographs, of Debian's packages, and smaller scales, which have more
# detail in each square.
real_colours = [
    dict(type='RandomDownscale', min_scale=0.15),
    dict(type='Crop', random=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackInputs'),
]
train_dataloader = dict(
    dataset=dict(
        packages={{_base_.wallpapers}},
        pipeline=[
            *real_colours[:2],
            dict(type='RandomChannelOrder'),
            *real_colours[2:],
        ],
    )
)
