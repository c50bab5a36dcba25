"""What every runner offers, and the texts that all are fed."""
