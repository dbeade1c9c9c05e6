"""All servers of Haggle as plain processes on one machine: what `haggle up`, `down` and `status` are made of."""
