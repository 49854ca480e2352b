"""Pascal VOC: annotations in XML, predictions in lists or XML."""
