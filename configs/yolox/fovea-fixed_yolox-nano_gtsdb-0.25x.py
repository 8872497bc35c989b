_base_ = ['./lzu-fixed_yolox-nano_gtsdb-0.25x.py', '../_base_/zoom/fovea.py']

model = dict(data_preprocessor=dict(zoom=_base_.fovea))
