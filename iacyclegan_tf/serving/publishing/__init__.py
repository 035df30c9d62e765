"""From a SavedModel to the folder that a server polls: judged, validated, versioned, pushed."""
