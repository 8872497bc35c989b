_base_ = './lzu-equalise_yolox-nano_gtsdb-0.25x.py'

# Where the signs of each image are, learned from its own boxes. A map that is sure of a single sign
# would give it all pixels but the uniform share, hence the bounds.
model = dict(
    data_preprocessor=dict(
        zoom=dict(
            uniform_share=0.3,
            max_magnification=3,
            saliency=dict(
                _delete_=True,
                type='lzu_mm.LearnedSaliency',
                input_size=(200, 340),
                target=dict(kind='boxes', bandwidth=16),
            ),
        )
    )
)
