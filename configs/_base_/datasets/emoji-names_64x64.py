_base_ = './emoji_64x64.py'

# All emoji with their official name and their category. Nothing is mirrored,
# since names say 'left', and nothing is held out from models that learn which
# picture a name means. As nothing is random, latents can be cached.
named = dict(
    split='all',
    annotations=[
        dict(type='CaptionFiles'),
        dict(type='FolderClasses', num_classes=10),
    ],
    pipeline=[
        dict(type='LoadImage'),
        dict(type='ChooseCaption', random=False),
        dict(type='PackInputs'),
    ],
)
train_dataloader = dict(global_batch_size=32, dataset=named)
# One name in twenty while training, and all of them in a test.
val_dataloader = dict(batch_size=96, dataset={**named, 'split': 'val'})
test_dataloader = dict(batch_size=96, dataset=named)
# Models have metrics of their own, which compare with real pictures.
val_evaluator = []
test_evaluator = []
pictures = dict(type='ImageFolder', **named)
judge_set = {**pictures, 'split': 'train'}
test_set = {**pictures, 'split': 'val'}
