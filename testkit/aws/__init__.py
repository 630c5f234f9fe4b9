"""AWS: emulators, injected faults, and the permissions that calls need and policies grant."""
