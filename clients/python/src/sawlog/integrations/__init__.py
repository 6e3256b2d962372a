"""One module per framework, each imported by those who use it: asgi, wsgi, flask, django, celery, tornado."""
