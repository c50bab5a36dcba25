"""NPUs without a phone: files compiled for them, and run in their vendor's simulator."""
