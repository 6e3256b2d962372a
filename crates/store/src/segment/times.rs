//! Which signs stand between the digits and letters of printed times. Knows nothing of columns.

use sawlog_model::Nanos;
use sawlog_model::time::{Layout, SECOND};
use sawlog_model::token::is_token_byte;

/// A time with day and hour below ten, so that every sign a layout has is printed.
const SAMPLE: Nanos = 1_436_335_509 * SECOND;
/// Fractions of its second: a layout prints only those for which it has room.
const FRACTIONS: [Nanos; 5] = [123_456_789, 123_456_700, 123_456_000, 123_000_000, 0];
/// Zones in which it is printed: some forms have no half hours, some no zone but one.
const ZONES: [i32; 3] = [-(3 * 3_600 + 1_800), -3 * 3_600, 0];

/// Whether the layout prints no letter.
pub(super) fn has_no_letter(layout: Layout) -> bool {
    let mut printed = Vec::new();
    let mut samples = FRACTIONS.iter().flat_map(|fraction| ZONES.map(|zone| (SAMPLE + fraction, zone)));
    samples.any(|(time, zone)| layout.print(time, zone, &mut printed))
        && !printed.iter().any(|sign| is_token_byte(*sign) && !sign.is_ascii_digit())
}

/// Whether the text holds a sign (neither letter nor digit) that the layout never prints.
pub(super) fn has_foreign_sign(layout: Layout, text: &[u8]) -> bool {
    let mut printed = Vec::new();
    let mut samples = FRACTIONS.iter().flat_map(|fraction| ZONES.map(|zone| (SAMPLE + fraction, zone)));
    if !samples.any(|(time, zone)| layout.print(time, zone, &mut printed)) {
        return false;
    }
    // The sign of the zone and of counts from before 1970 depends on the time.
    text.iter().any(|sign| !is_token_byte(*sign) && !b"+-".contains(sign) && !printed.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_prints_a_foreign_sign() {
        let zones = [0, 3_600, -(5 * 3_600 + 1_800), 14 * 3_600];
        let mut seen = 0;
        for number in 0..=u8::MAX {
            let layout = Layout(number);
            let mut printed = Vec::new();
            for day in 0..400 {
                let time = (day * 86_400 + day * 3_607) * SECOND + (day % 3) * 120_000_000;
                for zone in zones {
                    printed.clear();
                    if layout.print(time, zone, &mut printed) {
                        assert!(!has_foreign_sign(layout, &printed), "{number} {printed:?}");
                        assert!(!has_no_letter(layout) || !printed.iter().any(u8::is_ascii_alphabetic));
                        seen += 1;
                    }
                }
            }
        }
        assert!(seen > 10_000);
        let mut printed = Vec::new();
        let known = (1..=u8::MAX).map(Layout).filter(|layout| layout.print(SAMPLE, 0, &mut printed)).count();
        let foreign = (0..=u8::MAX).map(Layout).filter(|layout| has_foreign_sign(*layout, b"10;0"));
        assert_eq!(foreign.count(), known);
    }
}
