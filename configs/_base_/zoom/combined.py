# Combined saliency (S_C): half where the previous frame had objects (S_I), half where the training
# set has them (S_D). A config adds the path of the fixed map.
_base_ = './adaptive.py'

zoom = dict(
    saliency=dict(
        type='lzu_mm.CombinedSaliency',
        members=[dict(type='lzu_mm.TemporalSaliency'), dict(type='lzu_mm.FixedSaliency')],
        weights=[0.5, 0.5],
    )
)
