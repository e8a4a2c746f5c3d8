"""The functions and classes of `import auralign as au`: arrays in, labelled arrays out, no YAML."""
