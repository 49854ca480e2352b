"""How sure a ranking is: resamples, intervals, permutation tests."""
