"""Array arithmetic shared by the packages `png` and `binarize`."""
