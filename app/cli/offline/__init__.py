"""The command `binarize`: files to black-and-white pages on this machine, without a server."""
