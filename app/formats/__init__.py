"""Image files on disk: find them, read JPEG, TIFF, WebP and BMP, write TIFF. Not for servers."""
