_base_ = './lzu-learned_fcos3d_r18_fpn_mini-street-0.5x.py'

model = dict(data_preprocessor=dict(zoom=dict(scale=1.0)))
