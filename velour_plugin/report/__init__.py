"""An evaluation for people to look at: findings, figures, worst images, one page."""
