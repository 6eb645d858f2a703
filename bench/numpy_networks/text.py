"""A text to learn from, as numbers of words: they are as unevenly frequent as those of a language, and what
the next word may be depends on the last one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FOLLOWERS = 4  # that half of the words' successors are drawn from; the others are drawn from all words


def synthetic(length: int, vocabulary: int = 7600, seed: int = 0) -> NDArray[Any]:
    """So many words, each a number below the vocabulary's size; the k-th is 1 / k as frequent as the first
    where the last word has no say."""
    rng = np.random.default_rng(seed)
    p = 1 / np.arange(1, vocabulary + 1)
    p /= p.sum()
    followers = rng.choice(vocabulary, (vocabulary, FOLLOWERS), p=p)
    text = rng.choice(vocabulary, length, p=p)
    follows, which = rng.random(length) < 0.5, rng.integers(FOLLOWERS, size=length)
    for i in range(1, length):
        if follows[i]:
            text[i] = followers[text[i - 1], which[i]]
    return text
