"""The plugins of this installation: registered, checked, with their offers by name."""
