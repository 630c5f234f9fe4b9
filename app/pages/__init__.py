"""Pages: render the HTML pages in the reader's language."""
