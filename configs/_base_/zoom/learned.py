# Learned saliency: a small CNN looks at a low-resolution copy of the image, trained by the task's
# loss alone.
zoom = dict(saliency=dict(type='lzu_mm.LearnedSaliency'))
