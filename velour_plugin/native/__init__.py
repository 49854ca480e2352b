"""The compiled kernel of the core, where there is a compiler: masks, files, label images, digests.

numpy and Python's ``json`` do the same elsewhere, with the same bits.
"""
