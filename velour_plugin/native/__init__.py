"""The compiled kernel of the core: masks and COCO files, in C, where there is a compiler.

numpy and Python's ``json`` do the same elsewhere, with the same bits.
"""
