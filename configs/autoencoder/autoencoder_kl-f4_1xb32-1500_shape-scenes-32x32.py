"""KL-f4 autoencoder of drawn scenes of shapes: minutes on two CPU cores.

Train: python tools/train.py \
       configs/autoencoder/autoencoder_kl-f4_1xb32-1500_shape-scenes-32x32.py
Judge: python tools/test.py \
       configs/autoencoder/autoencoder_kl-f4_1xb32-1500_shape-scenes-32x32.py \
       work_dirs/autoencoder_kl-f4_1xb32-1500_shape-scenes-32x32
"""

_base_ = [
    '../_base_/autoencoder_kl-f4_shape-scenes.py',
    '../_base_/datasets/shape-scenes_32x32.py',
]
