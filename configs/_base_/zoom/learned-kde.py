# FOVEA's LKDE: adaptive saliency whose bandwidth and amplitude are learned, slowly and without decay.
_base_ = './adaptive.py'

zoom = dict(saliency=dict(type='lzu_mm.LearnedKDE'))

learned_slowly = dict(custom_keys={'saliency.theta': dict(lr_mult=0.005, decay_mult=0)})
