_base_ = './lds_pspnet_r50-d8_cityscapes-64x64.py'

data_preprocessor = dict(zoom=dict(size=(128, 128)))
model = dict(data_preprocessor=data_preprocessor)
