# Learned saliency: a small CNN looks at a low-resolution copy of the image, trained by the task's
# loss alone.
_base_ = './lzu-fixed_pspnet_r18-d8_mini-street-0.5x.py'

data_preprocessor = dict(
    zoom=dict(
        saliency=dict(
            _delete_=True, type='lzu_mm.LearnedSaliency', grid_shape=(45, 45), input_size=(96, 192)
        )
    )
)
model = dict(data_preprocessor=data_preprocessor)
