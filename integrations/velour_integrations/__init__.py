"""Velour's bridges to the outside world, offered through the same door as a stranger's."""
