_base_ = ['./lzu-learned-kde_retinanet_r18_fpn_mini-street-0.25x.py', '../_base_/zoom/fovea.py']

model = dict(data_preprocessor=dict(zoom=_base_.fovea))
