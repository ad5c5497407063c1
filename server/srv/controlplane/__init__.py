"""The control plane: the models of the repository, their states, and how clients load and unload them."""
