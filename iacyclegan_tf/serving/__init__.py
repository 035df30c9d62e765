"""From SavedModels to a folder that TensorFlow Serving polls: evaluated, validated, versioned and described."""
