"""The entry of the command line."""
