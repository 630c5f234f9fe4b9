"""The method `auto`: a threshold surface learned from drawn pages."""
