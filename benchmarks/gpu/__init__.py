"""What zoom and unzoom do on a GPU, and what they cost there, with torch and torchvision alone."""
