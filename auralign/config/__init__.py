"""What the YAML file of a comparison may say, and reading it: no module of a room below knows YAML."""
