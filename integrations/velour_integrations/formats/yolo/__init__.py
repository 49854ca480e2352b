"""YOLO: where its files are, what their lines mean, and how large their images are."""
