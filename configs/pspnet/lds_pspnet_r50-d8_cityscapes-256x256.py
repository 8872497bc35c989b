_base_ = './lds_pspnet_r50-d8_cityscapes-64x64.py'

data_preprocessor = dict(zoom=dict(size=(256, 256)))
model = dict(data_preprocessor=data_preprocessor)
