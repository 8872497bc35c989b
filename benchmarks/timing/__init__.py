"""Times of whole inferences, of their stages, and of the same work done plainly."""
