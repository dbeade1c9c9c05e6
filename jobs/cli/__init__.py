"""The `haggle` command: a module for each group of commands, each a thin one over what it calls."""
