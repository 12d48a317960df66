"""For programs that train: read a split of a release, and record in a run which samples it used."""
