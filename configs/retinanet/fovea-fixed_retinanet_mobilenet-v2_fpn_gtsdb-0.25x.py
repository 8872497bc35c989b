_base_ = ['./lzu-fixed_retinanet_mobilenet-v2_fpn_gtsdb-0.25x.py', '../_base_/zoom/fovea.py']

model = dict(data_preprocessor=dict(zoom=_base_.fovea))
