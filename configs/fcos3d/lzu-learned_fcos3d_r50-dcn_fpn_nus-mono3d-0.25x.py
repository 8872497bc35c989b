_base_ = './lzu-learned_fcos3d_r50-dcn_fpn_nus-mono3d-0.5x.py'

model = dict(data_preprocessor=dict(zoom=dict(scale=0.25)))
