# Learning to Zoom (LZ), on top of learned saliency: a non-separable zoom without unzooming; boxes are
# learned in the zoomed frame and predicted ones come back through the warp.
lz = dict(attraction_fwhm=13, separable=False, labels='warped')
