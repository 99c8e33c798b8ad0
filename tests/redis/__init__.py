"""Redis sessions: the tests, and the servers, proxies and applications that they run on."""
