"""What plugins offer to Velour: formats, autologgers, and the hooks by which they are found."""
