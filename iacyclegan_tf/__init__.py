"""Identity-Aware CycleGAN: face photo-sketch synthesis and recognition, trained in mutual rounds."""

__version__ = "0.1.0"
