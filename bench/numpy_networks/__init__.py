"""Five networks as people write them in NumPy, for ``bench/test_networks.py``.

Each file has one network in stages, and each stage is a subclass of the one before that overrides just the
methods whose lines are replaced: first as it is written in plain NumPy; then with our layer, which is
softmax, the log-likelihood cost and the output error in one call; then with our optimizer; then with our
products, biases and activations. ``STAGES`` lists them. A stage takes its data, a dtype and a seed;
``epoch()`` trains for one epoch and returns the mean cost, and ``parameters`` are the arrays that it trains.
The same seed gives all stages the same first parameters and the same mini-batches.
"""
