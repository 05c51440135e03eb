"""What is wrong with a configuration."""


class ConfigError(Exception):
    """A configuration that cannot be used; the message names the key, the value and what is allowed."""
