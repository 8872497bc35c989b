_base_ = './lzu-equalise_yolox-nano_gtsdb-0.25x.py'

# Where the signs of each image are, learned from its own boxes.
model = dict(
    data_preprocessor=dict(
        zoom=dict(
            saliency=dict(
                _delete_=True,
                type='lzu_mm.LearnedSaliency',
                input_size=(200, 340),
                target=dict(kind='boxes', bandwidth=16),
            )
        )
    )
)
