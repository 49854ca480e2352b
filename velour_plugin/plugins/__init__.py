"""The plugins of this installation: registered, checked, and what they offer by name."""
