"""Faults planted one at a time, to see that a test finds each: run by `make mutations`, never by `make test`."""
