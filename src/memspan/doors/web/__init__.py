"""The web page: static files, served beside the REST API or written out as one file; page.py is the way in."""
