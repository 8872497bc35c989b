_base_ = './fovea-fixed_retinanet_r18_fpn_mini-street-0.5x.py'

model = dict(data_preprocessor=dict(zoom=dict(scale=0.25)))
