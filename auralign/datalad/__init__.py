"""How files come and go: git-annex, downloads, members of archives. `auralign.datasets` builds and gets with them."""
