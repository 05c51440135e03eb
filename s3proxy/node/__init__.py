"""The composition root: configuration in, a serving node out."""
