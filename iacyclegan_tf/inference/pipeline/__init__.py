"""Translation and embedding of image collections as an Apache Beam pipeline; loaded by ``beam.py`` only."""
