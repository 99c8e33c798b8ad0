"""Instruction counts of the core: run by `make counts`, never by `make test`."""
