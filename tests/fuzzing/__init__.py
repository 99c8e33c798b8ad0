"""What fuzzing needs of Python: the seeds of all corpora, and the target that compares us with Flask and msgspec."""
