_base_ = ['./uniform_pspnet_r18-d8_mini-street-128x128.py', '../_base_/zoom/learned.py']

zoom = _base_.zoom
zoom.saliency.update(grid_shape=(45, 45), input_size=(96, 192))
model = dict(data_preprocessor=dict(zoom=zoom))
