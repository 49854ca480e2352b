"""Questions answered by the database driver alone, in text statements: commands start sooner."""
