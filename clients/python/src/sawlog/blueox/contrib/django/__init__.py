"""`blueox.contrib.django`."""
