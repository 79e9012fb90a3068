//! The state moves as its table says, and the texts say what is closed and why.

use super::*;

/// All states by all turns, so that no arrow is there by accident.
#[test]
fn the_state_moves_by_its_table() {
    use {Turn as T, WriteMode as M};
    let table = [
        (M::Writable, T::Open, Ok(M::Writable)),
        (M::Writable, T::Drain, Ok(M::Draining)),
        (M::Writable, T::Close, Ok(M::ReadOnly)),
        (M::Writable, T::NoneLeft, Ok(M::Writable)),
        (M::Draining, T::Open, Ok(M::Writable)),
        (M::Draining, T::Drain, Ok(M::Draining)),
        (M::Draining, T::Close, Ok(M::ReadOnly)),
        (M::Draining, T::NoneLeft, Ok(M::ReadOnly)),
        (M::ReadOnly, T::Open, Ok(M::Writable)),
        (M::ReadOnly, T::Drain, Err(NothingToDrain)),
        (M::ReadOnly, T::Close, Ok(M::ReadOnly)),
        (M::ReadOnly, T::NoneLeft, Ok(M::ReadOnly)),
    ];
    for (from, turn, to) in table {
        assert_eq!(from.after(turn), to, "{from:?} by {turn:?}");
    }
}

/// Only a person opens what was closed.
#[test]
fn nothing_but_open_leads_back_to_writable() {
    for turn in [Turn::Drain, Turn::Close, Turn::NoneLeft] {
        for from in [WriteMode::Draining, WriteMode::ReadOnly] {
            assert_ne!(from.after(turn), Ok(WriteMode::Writable), "{from:?} by {turn:?}");
        }
    }
}

#[test]
fn a_mode_is_read_as_it_is_written() {
    for mode in WriteMode::ALL {
        assert_eq!(mode.to_string().parse(), Ok(mode));
    }
    assert!("read_only".parse::<WriteMode>().is_err());
}

#[test]
fn a_reason_is_one_line_of_bounded_length() {
    assert_eq!(" moving \n".parse::<WriteReason>().unwrap().as_str(), "moving");
    for bad in ["", "  ", "two\nlines", "bell\u{7}", &"x".repeat(LONGEST_REASON + 1)] {
        assert_eq!(bad.parse::<WriteReason>(), Err(NoWriteReason), "{bad:?}");
    }
    assert!("é".repeat(LONGEST_REASON).parse::<WriteReason>().is_ok());
}

#[test]
fn what_is_closed_says_so() {
    let repository = WriteScope::Repository("team/app".parse().unwrap());
    let reason = Some("moving to another site".parse().unwrap());
    let closed = Closed { scope: repository, mode: WriteMode::ReadOnly, reason };
    assert_eq!(
        closed.to_string(),
        "the repository team/app is read-only for now: moving to another site"
    );
    let closed = Closed { scope: WriteScope::All, mode: WriteMode::Draining, reason: None };
    assert_eq!(
        closed.to_string(),
        "the registry is about to become read-only, and takes no new pushes"
    );
}
