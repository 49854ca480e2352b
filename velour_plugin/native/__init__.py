"""The compiled kernel of the core: masks, COCO files, label images, digests.

Without a compiler, numpy and Python's ``json`` do the same, with the same bits.
"""
