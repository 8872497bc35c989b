# Adaptive saliency (S_I): looks where the previous frame of the video had objects; in training, at
# the labels of the same frame.
zoom = dict(saliency=dict(type='lzu_mm.TemporalSaliency'))

# Frames are tested one by one, in order, and whole videos per process.
frames_in_order = dict(batch_size=1, sampler=dict(type='lzu_mm.SequenceSampler'))
