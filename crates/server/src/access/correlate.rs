//! Which event producer of a tenant a message is of: by the program and host that its name says, else by the parser that its pattern
//! names. Knows nothing of how messages come.

use sawlog_model::{Correlation, Message, Normalizers, Value};

use super::table::{Meniscus, Producer};

/// The producer of a message. A name says more than a pattern, and a program on a host more than one of them.
pub(super) fn find(
    kept: &Meniscus,
    normalizers: Option<&Normalizers>,
    message: &Message<'_>,
) -> Option<Correlation> {
    if kept.producers.is_empty() {
        return None;
    }
    let Message { program, host, .. } = *message;
    let names = [(!program.is_empty() && !host.is_empty()).then(|| format!("{program}@{host}"))]
        .into_iter()
        .flatten()
        .chain((!program.is_empty()).then(|| program.to_owned()))
        .chain((!host.is_empty()).then(|| format!("@{host}")));
    for name in names {
        if let Some((number, producer)) = kept.producer(&name) {
            let fields = read(producer, normalizers, message.text).unwrap_or_default();
            return Some(correlation(number, producer, fields));
        }
    }
    kept.producers.iter().find_map(|(number, producer)| {
        Some(correlation(*number, producer, read(producer, normalizers, message.text)?))
    })
}

fn correlation(number: u32, producer: &Producer, fields: Vec<(String, Value)>) -> Correlation {
    Correlation { number, pattern: producer.pattern.clone(), fields, encrypted: producer.encrypted }
}

/// What the parser of a producer's pattern finds; `None` where there is no such parser, or the text is not of its form. Rules
/// that were written for messages of syslog, as Meniscus's own, begin with the blank before the text.
fn read(producer: &Producer, normalizers: Option<&Normalizers>, text: &[u8]) -> Option<Vec<(String, Value)>> {
    let parser = normalizers?.get(&producer.pattern)?;
    let mut fields = Vec::new();
    let mut read = |text: &[u8]| {
        parser.normalize(text, &mut |name, value| fields.push((name.to_owned(), value.clone())))
    };
    (read(text) || read(&[b" ", text].concat())).then_some(fields)
}
