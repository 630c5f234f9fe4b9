"""The command `binarize`: turn files into black-and-white pages here, without a server."""
