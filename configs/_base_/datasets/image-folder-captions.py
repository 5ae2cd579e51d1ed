_base_ = './image-folder-pairs.py'

# Any folder of images with a text beside each: a.png and a.txt (or
# a.caption), of which every line is a caption. There are no flips, as a
# caption may say 'left'.
source = dict(
    annotations=[dict(type='CaptionFiles')],
    pipeline=[
        dict(type='LoadImage'),
        dict(type='ResizeShorterSide'),
        dict(type='Crop', random=False),
        dict(type='ChooseCaption'),
        dict(type='PackInputs'),
    ],
)
train_dataloader = dict(dataset=source)
val_dataloader = dict(dataset=source)
test_dataloader = dict(dataset=source)
