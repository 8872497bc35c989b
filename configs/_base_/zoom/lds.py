# Learning to Downsample (LDS), on top of learned saliency: labels are warped into the zoomed frame and
# logits come back at the end; beside the segmentation losses, the saliency learns where classes meet.
lds = dict(labels='warped')
edge_head = dict(type='lzu_mm.SaliencyEdgeHead')
