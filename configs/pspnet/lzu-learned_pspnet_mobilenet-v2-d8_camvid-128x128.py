_base_ = ['./uniform_pspnet_mobilenet-v2-d8_camvid-128x128.py', '../_base_/zoom/learned.py']

zoom = _base_.zoom
zoom.saliency.update(grid_shape=(45, 45), input_size=(96, 128))
model = dict(data_preprocessor=dict(zoom=zoom))
