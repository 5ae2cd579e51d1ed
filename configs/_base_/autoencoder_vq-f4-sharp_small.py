_base_ = ['./autoencoder_kl-f4-sharp_small.py', './codebook_small.py']

model = dict(autoencoder={{_base_.codebook}}, regularization_weight=1.0)
