"""The version of the workspace; a test holds that it is that."""

__version__ = "0.1.0"
