_base_ = './adamw.py'

# Small models learn in few iterations.
optim_wrapper = dict(optimizer=dict(lr=1e-3, betas=(0.9, 0.99)))
