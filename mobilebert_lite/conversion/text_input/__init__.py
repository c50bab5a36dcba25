"""Text input inside the file, through tensorflow-text's operators; only for those who link them."""
