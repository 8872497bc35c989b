_base_ = './lds_pspnet_r18-d8_mini-street-0.5x.py'

data_preprocessor = dict(zoom=dict(scale=0.25))
model = dict(data_preprocessor=data_preprocessor)
