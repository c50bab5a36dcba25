"""The doctor: checks a file against the contracts of its clients, names what is wrong, and mends what it can.

``diagnose`` reads, ``fix`` mends; each client is a module with a list of checks.
"""
