"""One phase of training through Model.fit: checkpoints, history, checks, progress."""
