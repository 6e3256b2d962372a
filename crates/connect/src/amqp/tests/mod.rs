//! The protocol against a real RabbitMQ, with a real journal behind the input. Without Debian's `rabbitmq-server` these
//! tests say that they are skipped.

mod broker;
mod input;
mod node;
mod output;
mod proxy;
