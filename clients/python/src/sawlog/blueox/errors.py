"""`blueox.errors`."""


class Error(Exception):
    """What BlueOx raises for a configuration that cannot be."""
