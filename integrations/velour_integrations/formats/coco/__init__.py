"""COCO: instances and results in JSON."""
