"""The catalogue: a static site that shows every dataset, its versions and its problems to people."""
