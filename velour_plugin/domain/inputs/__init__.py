"""What readers share: reports of what was read, values of cells, names of images."""
