"""`blueox.contrib.celery`: its signals are connected by importing `celery_signals`."""
