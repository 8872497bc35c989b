# The equalising warp of a fixed map: axes are magnified by the density of the objects. A config adds
# the path.
zoom = dict(method='equalise', uniform_share=0.1, saliency=dict(type='lzu_mm.FixedSaliency'))
# Features are weighed by area and laid on cells half as large, for which a config halves the strides
# of its heads.
unzoom = dict(antialias=True, frame=2)
