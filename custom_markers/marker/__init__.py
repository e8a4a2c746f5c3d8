"""What a marker is made of: its base, its parameters, devices, hooks, layers."""
