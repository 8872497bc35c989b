_base_ = ['./lzu-combined_faster-rcnn_r50_fpn_argoverse-hd-0.5x.py', '../_base_/zoom/fovea.py']

model = dict(data_preprocessor=dict(zoom=_base_.fovea))
