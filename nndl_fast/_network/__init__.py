"""What is behind :class:`nndl_fast.Network`: its layers, their training, and what it predicts."""
