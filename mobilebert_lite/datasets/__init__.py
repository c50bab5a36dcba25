"""Examples: from files of users, and the package's own."""
