# FOVEA, on top of any saliency: boxes are learned in the zoomed frame and predicted ones come back
# through the warp, in place of unzooming features.
fovea = dict(attraction_fwhm=4, labels='warped')
