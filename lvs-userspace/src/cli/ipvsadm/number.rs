//! Decimal numbers as the C library's `strtol` reads them.

use std::ops::RangeInclusive;

/// A number in `range`: blanks and a sign may precede it, nothing may follow it.
pub(super) fn parse(text: &str, range: RangeInclusive<i64>) -> Option<i64> {
    // Rust's own parser takes the sign, and refuses everything else that is not a digit.
    let number = text.trim_start_matches([' ', '\t', '\n', '\u{b}', '\u{c}', '\r']).parse().ok()?;
    range.contains(&number).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_and_sign_come_first() {
        assert_eq!(parse(" 5", 0..=9), Some(5));
        assert_eq!(parse("+6", 0..=9), Some(6));
        assert_eq!(parse("-1", -1..=9), Some(-1));
        assert_eq!(parse("007", 0..=9), Some(7));
    }

    #[test]
    fn nothing_else_is_a_number() {
        for text in ["", " ", "+", "0x7", "7 ", "- 1", "1.0", "99999999999999999999"] {
            assert_eq!(parse(text, i64::MIN..=i64::MAX), None, "{text:?}");
        }
    }
}
