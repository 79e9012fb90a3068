//! The contract suite: what every limiter does, one rule a function. None waits for time to pass: rates are so slow that
//! it passes for nobody, or so fast that waiting for it ends.
#![allow(clippy::unwrap_used, reason = "a broken rule ends in a panic")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use wharf_core::limits::{Limiter, Rate, Standing, Take};

/// Makes a test of each rule. `$make` is an async function without arguments that gives a limiter that has counted nothing.
#[macro_export]
macro_rules! limiter_contract {
    ($make:path) => {
        $crate::limiter_contract! { $make:
            what_is_used_up_is_refused_until_it_is_paid_back
            what_is_refused_takes_nothing_of_anything
            a_look_takes_nothing_and_is_always_allowed
            what_is_left_is_told
            more_than_one_can_be_taken
            what_is_given_back_may_be_taken_again
            nothing_is_given_that_was_not_taken
            what_is_forgotten_is_there_again_whole
            a_smaller_limit_than_before_locks_nobody_out_for_longer_than_its_time
            many_at_once_get_no_more_than_there_is
            several_limits_at_once_are_taken_together
        }
    };
    ($make:path: $($rule:ident)*) => { $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $rule() {
            $crate::limiter::contract::$rule($make().await).await;
        }
    )* };
}

fn rate(text: &str) -> Rate {
    text.parse().unwrap()
}

fn one(key: &str, text: &str) -> Take {
    Take::one(key, rate(text))
}

async fn allows(limiter: &impl Limiter, takes: &[Take]) -> bool {
    limiter.take(takes).await.wait.is_none()
}

/// Time passes for it whatever the test does, so that the rate is one whose interval is short.
pub async fn what_is_used_up_is_refused_until_it_is_paid_back(limiter: impl Limiter) {
    let takes = [one("a", "2/1s")];
    let began = Instant::now();
    let mut refused = None;
    while refused.is_none() {
        assert!(began.elapsed() < Duration::from_secs(30), "nothing is ever refused");
        refused = limiter.take(&takes).await.wait;
    }
    assert!(refused.unwrap() <= Duration::from_millis(500), "{refused:?}");
    while !allows(&limiter, &takes).await {
        assert!(began.elapsed() < Duration::from_secs(30), "nothing is ever paid back");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Neither of the one that is used up nor of the others.
pub async fn what_is_refused_takes_nothing_of_anything(limiter: impl Limiter) {
    let both = [one("narrow", "1/10d"), one("wide", "3/10d")];
    assert!(allows(&limiter, &both).await);
    for _ in 0..9 {
        let wait = limiter.take(&both).await.wait.unwrap();
        assert!(wait > Duration::from_secs(9 * 24 * 3600), "{wait:?}");
    }
    for _ in 0..2 {
        assert!(allows(&limiter, &both[1..]).await);
    }
    assert!(!allows(&limiter, &both[1..]).await);
}

/// Also beside what is taken.
pub async fn a_look_takes_nothing_and_is_always_allowed(limiter: impl Limiter) {
    let look = Take::look("a", rate("2/10d"));
    for _ in 0..5 {
        let verdict = limiter.take(std::slice::from_ref(&look)).await;
        assert_eq!((verdict.wait, verdict.standings[0].remaining), (None, 2));
    }
    for _ in 0..2 {
        assert!(allows(&limiter, &[one("a", "2/10d")]).await);
    }
    assert!(!allows(&limiter, &[one("a", "2/10d")]).await);
    let verdict = limiter.take(&[look, one("b", "2/10d")]).await;
    assert_eq!(verdict.wait, None);
    assert_eq!(verdict.standings.iter().map(|it| it.remaining).collect::<Vec<_>>(), [0, 1]);
}

/// After a take and after a refusal, each limit by itself.
pub async fn what_is_left_is_told(limiter: impl Limiter) {
    let takes = [one("a", "3/3d"), one("b", "30/30d")];
    const DAY: Duration = Duration::from_secs(24 * 3600);
    for (round, left) in [[2, 29], [1, 28], [0, 27], [0, 27]].into_iter().enumerate() {
        let verdict = limiter.take(&takes).await;
        assert_eq!(verdict.wait.is_some(), round == 3);
        let of = |standing: &Standing| (standing.rate, standing.remaining);
        let told: Vec<_> = verdict.standings.iter().map(of).collect();
        assert_eq!(told, [(rate("3/3d"), left[0]), (rate("30/30d"), left[1])]);
        let owed = DAY * u32::try_from(round + 1).unwrap().min(3);
        for standing in verdict.standings {
            let reset = standing.reset;
            assert!(reset <= owed && reset > owed - Duration::from_secs(60), "{reset:?}");
        }
    }
}

/// All of them or none.
pub async fn more_than_one_can_be_taken(limiter: impl Limiter) {
    let three = Take { cost: 3, ..one("a", "7/10d") };
    assert!(allows(&limiter, std::slice::from_ref(&three)).await);
    assert!(allows(&limiter, std::slice::from_ref(&three)).await);
    assert!(!allows(&limiter, &[three]).await);
    assert!(allows(&limiter, &[one("a", "7/10d")]).await);
}

/// However often.
pub async fn what_is_given_back_may_be_taken_again(limiter: impl Limiter) {
    let takes = [one("a", "2/10d"), Take { cost: 2, ..one("b", "4/10d") }];
    for _ in 0..20 {
        assert!(allows(&limiter, &takes).await);
        limiter.give_back(&takes).await;
    }
    for _ in 0..2 {
        assert!(allows(&limiter, &takes).await);
    }
    assert!(!allows(&limiter, &takes[..1]).await && !allows(&limiter, &takes[1..]).await);
}

/// Nobody has more than there is.
pub async fn nothing_is_given_that_was_not_taken(limiter: impl Limiter) {
    let takes = [one("a", "2/10d")];
    for _ in 0..5 {
        limiter.give_back(&takes).await;
    }
    assert!(allows(&limiter, &takes).await && allows(&limiter, &takes).await);
    assert!(!allows(&limiter, &takes).await);
}

/// And others keep what they took.
pub async fn what_is_forgotten_is_there_again_whole(limiter: impl Limiter) {
    let takes = [one("a", "1/10d"), one("b", "1/10d"), one("c", "1/10d")];
    assert!(allows(&limiter, &takes).await);
    limiter.forget(&takes[..2]).await;
    limiter.forget(&[]).await;
    assert!(allows(&limiter, &takes[..2]).await);
    assert!(!allows(&limiter, &takes[2..]).await);
}

/// Settings change, and what was counted stays.
pub async fn a_smaller_limit_than_before_locks_nobody_out_for_longer_than_its_time(
    limiter: impl Limiter,
) {
    assert!(allows(&limiter, &[one("a", "1/30d")]).await);
    let wait = limiter.take(&[one("a", "2/1h")]).await.wait.unwrap();
    assert!(wait <= Duration::from_secs(1800), "{wait:?}");
}

/// The race that a limit is for.
pub async fn many_at_once_get_no_more_than_there_is(limiter: impl Limiter) {
    let limiter = Arc::new(limiter);
    let ask = |_| {
        let limiter = Arc::clone(&limiter);
        tokio::spawn(async move { allows(&*limiter, &[one("a", "50/10d")]).await })
    };
    let asked: Vec<_> = (0..200).map(ask).collect();
    let mut allowed = 0;
    for asked in asked {
        allowed += usize::from(asked.await.unwrap());
    }
    assert_eq!(allowed, 50);
}

/// Each is looked at before any is taken, whichever comes first.
pub async fn several_limits_at_once_are_taken_together(limiter: impl Limiter) {
    let (narrow, wide) = (one("narrow", "5/10d"), one("wide", "20/10d"));
    let both = [[narrow.clone(), wide.clone()], [wide.clone(), narrow]];
    let limiter = Arc::new(limiter);
    let ask = |number: usize| {
        let (limiter, takes) = (Arc::clone(&limiter), both[number % 2].clone());
        tokio::spawn(async move { allows(&*limiter, &takes).await })
    };
    let asked: Vec<_> = (0..40).map(ask).collect();
    let mut allowed = 0;
    for asked in asked {
        allowed += usize::from(asked.await.unwrap());
    }
    assert_eq!(allowed, 5);
    let left = limiter.take(&[Take { cost: 0, ..wide }]).await.standings[0].remaining;
    assert_eq!(left, 15);
}
