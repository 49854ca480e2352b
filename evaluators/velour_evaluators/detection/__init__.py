"""Object detection and instance segmentation: matching, ledger, COCO's numbers, details."""
