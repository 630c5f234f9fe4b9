"""Install locked packages into virtual environments, without the files that nothing here uses."""
