_base_ = './adamw.py'

# A test samples as the paper does (Rombach et al. 2022, table 1); a leaf says
# how many steps its row has.
test_cfg = dict(
    sampling=dict(solver=dict(type='DDIM', eta=0.0), grid='CompVisGrid')
)
