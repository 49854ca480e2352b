"""YOLO: label files as Ultralytics reads and writes them."""
