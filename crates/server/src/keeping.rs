//! Which rows loggers no longer keep. Knows nothing of how rows are removed.

use sawlog_model::time::SECOND;
use sawlog_model::{Nanos, Predicate, Tenant, TimeRange};

use crate::loggers::{Book, Logger, Loggers};

const DAY: Nanos = 86_400 * SECOND;

/// Rows that no logger keeps any longer.
#[derive(Clone, Debug, PartialEq)]
pub struct TooOld {
    /// Whose.
    pub tenant: Tenant,
    /// Up to when.
    pub range: TimeRange,
    /// Which of these.
    pub predicate: Predicate,
}

impl Loggers {
    /// Rows that a logger has, older than its days, and that no other logger has and keeps longer. The answer is the same for
    /// a whole day (UTC), so that what is done for it is done once a day.
    pub fn too_old(&self, now: Nanos) -> Vec<TooOld> {
        self.books().into_iter().flat_map(|(tenant, book)| of_book(tenant, &book, now)).collect()
    }
}

fn of_book(tenant: Tenant, book: &Book, now: Nanos) -> Vec<TooOld> {
    let selected = |logger: &Logger| sawlog_query::predicate(&logger.selector, now).ok();
    // One that an earlier version took without a selector removes nothing: nobody said that it should be everything.
    let days = |logger: &Logger| if logger.selector.trim().is_empty() { 0 } else { logger.days };
    let all: Option<Vec<_>> =
        book.loggers.values().map(|logger| Some((days(logger), selected(logger)?))).collect();
    // Where one cannot be read, nobody knows what it keeps.
    let Some(all) = all else { return Vec::new() };
    let longer = |days: u32, other: u32| other == 0 || other > days;
    let mut found = Vec::new();
    for (days, (predicate, range)) in all.iter().filter(|(days, _)| *days > 0) {
        let kept = all.iter().filter(|(other, _)| longer(*days, *other)).map(|(_, (other, _))| other.clone());
        let kept: Vec<Predicate> = kept.collect();
        let predicate = match kept.is_empty() {
            true => predicate.clone(),
            false => Predicate::And(vec![predicate.clone(), Predicate::Not(Box::new(Predicate::Or(kept)))]),
        };
        let today = now.div_euclid(DAY).saturating_mul(DAY);
        let end = today.saturating_sub(Nanos::from(*days).saturating_mul(DAY));
        let range = TimeRange { start: range.start, end: range.end.min(end) };
        if range.start < range.end {
            found.push(TooOld { tenant, range, predicate });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Nanos = 20_000 * DAY + 17 * SECOND;

    fn book(loggers: &[(&str, &str, u32)]) -> Book {
        let mut book = Book::default();
        for (name, selector, days) in loggers {
            let (name, selector) = ((*name).to_owned(), (*selector).to_owned());
            book.set_logger(Logger { name, selector, days: *days, ..Logger::default() }).expect("a logger");
        }
        book
    }

    fn shown(loggers: &[(&str, &str, u32)]) -> Vec<String> {
        let predicate = |text: &str| sawlog_query::predicate(text, NOW).expect("a search").0;
        let known: Vec<(String, Predicate)> =
            loggers.iter().map(|(name, text, _)| ((*name).to_owned(), predicate(text))).collect();
        let name = |of: &Predicate| {
            known.iter().find(|(_, have)| have == of).map_or("?", |(name, _)| name).to_owned()
        };
        let text = |old: &TooOld| match &old.predicate {
            Predicate::And(both) => match &both[..] {
                [this, Predicate::Not(not)] => match &**not {
                    Predicate::Or(kept) => {
                        format!(
                            "{} without {}",
                            name(this),
                            kept.iter().map(name).collect::<Vec<_>>().join(" ")
                        )
                    }
                    _ => "?".to_owned(),
                },
                _ => "?".to_owned(),
            },
            this => name(this),
        };
        let old = of_book(Tenant(3), &book(loggers), NOW);
        old.iter().map(|old| format!("{} before day {}", text(old), old.range.end / DAY)).collect()
    }

    #[test]
    fn a_row_stays_while_any_logger_keeps_it() {
        assert_eq!(shown(&[("a", "_tag:a", 0)]), [""; 0]);
        assert_eq!(shown(&[("a", "_tag:a", 30)]), ["a before day 19970"]);
        assert_eq!(
            shown(&[("a", "_tag:a", 7), ("b", "_tag:b", 7), ("c", "level:error", 30), ("d", "_tag:d", 0)]),
            [
                "a without c d before day 19993",
                "b without c d before day 19993",
                "c without d before day 19970"
            ]
        );
    }

    #[test]
    fn a_logger_without_a_selector_removes_nothing() {
        let mut book = Book::default();
        let refused = book.set_logger(Logger { name: "all".to_owned(), days: 7, ..Logger::default() });
        assert!(refused.is_err_and(|words| words.contains("`*`")));
        // One of before.
        let all = Logger { name: "all".to_owned(), days: 7, ..Logger::default() };
        book.loggers.insert(all.name.clone(), all);
        assert_eq!(of_book(Tenant(3), &book, NOW), []);
        assert_eq!(shown(&[("all", "*", 7)]), ["all before day 19993"]);
    }

    #[test]
    fn a_search_that_cannot_be_read_keeps_all() {
        assert_eq!(of_book(Tenant(3), &book(&[("a", "_tag:a", 7), ("b", "b )", 30)]), NOW), []);
    }
}
