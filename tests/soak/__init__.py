"""Sessions under load for minutes, while their server is killed, stopped and cut off."""
