"""The guided tour behind `make demo`: a browser, a server, a report, and the parts of the tour."""
