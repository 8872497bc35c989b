_base_ = './lzu-learned_pspnet_r18-d8_mini-street-0.5x.py'

data_preprocessor = dict(zoom=dict(scale=None, size=(128, 128)))
model = dict(data_preprocessor=data_preprocessor)
