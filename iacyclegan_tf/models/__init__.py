"""The networks: generator, discriminator and recognizer."""
