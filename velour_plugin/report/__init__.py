"""Report of an evaluation: findings, figures, images of the worst datums, one HTML page."""
