_base_ = './photographs.py'

# More photographs, of Debian's packages: apt-get install these (155 MB), or
# set packages=[] to train with those of the wheels alone.
train_dataloader = dict(
    dataset=dict(
        packages=[
            'lomiri-wallpapers-16.04',
            'mate-backgrounds',
            'plasma-workspace-wallpapers',
        ]
    )
)
