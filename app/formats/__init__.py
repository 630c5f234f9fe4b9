"""Image files: find them, read JPEG, TIFF, WebP and BMP, write TIFF. Not for servers."""
