"""Send the objects of a working copy to a remote, and fetch them from there."""
