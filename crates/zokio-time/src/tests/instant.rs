//! `Instant`: its arithmetic, its order, and what it shares with the standard library's type.

use super::{Duration, Instant, Runtime, advance, ms, panic_text};
use std::cmp::Ordering;
use zokio_base::hash::Set;

#[test]
fn what_is_earlier_is_less_and_differences_are_never_negative() {
    let early = Instant::now();
    let late = early + ms(250);
    assert_eq!(early.cmp(&late), Ordering::Less);
    assert_eq!(early.max(late), late);
    assert_eq!(late - early, ms(250));
    assert_eq!(late.duration_since(early), ms(250));
    assert_eq!(late.checked_duration_since(early), Some(ms(250)));
    assert_eq!(late.saturating_duration_since(early), ms(250));
    // The other way round, only the one that can say so tells.
    assert_eq!(early - late, Duration::ZERO);
    assert_eq!(early.duration_since(late), Duration::ZERO);
    assert_eq!(early.checked_duration_since(late), None);
    assert_eq!(early.saturating_duration_since(late), Duration::ZERO);
    assert_eq!(early.checked_duration_since(early), Some(Duration::ZERO));
    // One that is still to come was not a while ago.
    assert_eq!((Instant::now() + ms(90_000)).elapsed(), Duration::ZERO);
}

#[test]
fn what_is_added_can_be_taken_away() {
    let start = Instant::now();
    let mut moved = start;
    moved += ms(7);
    assert_eq!(moved, start + ms(7));
    moved -= ms(3);
    assert_eq!(moved, start + ms(4));
    assert_eq!(moved - ms(4), start);
    assert_eq!(start.checked_add(ms(7)), Some(start + ms(7)));
    assert_eq!((start + ms(7)).checked_sub(ms(7)), Some(start));
}

#[test]
fn what_the_clock_cannot_count_is_none_or_a_panic() {
    let start = Instant::now();
    assert_eq!(start.checked_add(Duration::MAX), None);
    assert_eq!(start.checked_sub(Duration::MAX), None);
    let overflow = |run: fn(Instant)| panic_text(|| run(start));
    let text = overflow(|start| drop(format!("{:?}", start + Duration::MAX)));
    assert!(text.contains("overflow"), "{text}");
    let text = overflow(|start| drop(format!("{:?}", start - Duration::MAX)));
    assert!(text.contains("overflow"), "{text}");
    let text = overflow(|mut start| start += Duration::MAX);
    assert!(text.contains("overflow"), "{text}");
    let text = overflow(|mut start| start -= Duration::MAX);
    assert!(text.contains("overflow"), "{text}");
}

#[test]
fn it_is_the_instant_of_the_standard_library() {
    let std = std::time::Instant::now();
    let ours = Instant::from_std(std);
    assert_eq!(Instant::from(std), ours);
    assert_eq!(ours.into_std(), std);
    assert_eq!(std::time::Instant::from(ours), std);
    assert_eq!(format!("{ours:?}"), format!("{std:?}"));
    let mut set = Set::default();
    assert!(set.insert(ours) && set.insert(ours + ms(1)));
    assert!(!set.insert(Instant::from(std)));
    // Without a runtime both go by the same clock.
    assert!(Instant::now().into_std() >= std);
    assert!(Instant::now().into_std() <= std::time::Instant::now());
}

#[test]
fn a_paused_clock_is_seen_by_instants_only() {
    Runtime::new(true).block_on(async {
        let start = Instant::now();
        advance(Duration::from_secs(3_600)).await;
        assert_eq!(start.elapsed(), Duration::from_secs(3_600));
        assert_eq!(Instant::now(), start + Duration::from_secs(3_600));
        // The standard library's clock has not jumped.
        assert!(Instant::now().into_std() > std::time::Instant::now() + ms(1_000));
    });
}
