"""logcollect's interface: `logging` records as Logstash events, over AMQP or straight to sawlog.

    from sawlog.logcollect import default_config
    default_config("forward://logs.example:24224", activity_identity={"project": "shop"})

`amqp://user:password@host:port/vhost` (and `amqps://`) publishes to a topic exchange, with confirms, and needs the package
`amqp`; `forward://[user:password@]host:port[?shared_key=…&tls=1]` speaks the forward protocol. In both records wait in a
bounded queue and are sent by a thread of their own; what was not confirmed is sent again.
"""

from .boot import celery_config, default_config, django_dict_config
from .formatter import AMQPLogstashFormatter
from .handler import AMQPHandler

__all__ = ["AMQPHandler", "AMQPLogstashFormatter", "celery_config", "default_config", "django_dict_config"]
