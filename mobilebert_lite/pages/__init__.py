"""Pages for the browser, each one file that needs no network: templates, style and script are in `templates/`."""
