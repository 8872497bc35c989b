_base_ = ['./uniform_yolox-nano_mini-street-0.25x.py', '../_base_/zoom/fixed.py']

zoom = _base_.zoom
zoom.saliency.path = _base_.saliency_file
model = dict(data_preprocessor=dict(zoom=zoom))
