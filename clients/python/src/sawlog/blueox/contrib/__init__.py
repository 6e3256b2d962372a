"""`blueox.contrib`: Django, Flask and Celery under BlueOx's names."""
